/**
 * A reply as who asked gets it. Source: Apache class ClientRemotingProcessor (receiveReplyMessage);
 * `broker-api.md` section 7.7. Owns nothing.
 */
import {
  type Compression,
  decodeProperties,
  type Header,
  type PUSH_REPLY_MESSAGE_TO_CLIENT,
} from '@rockhopper/protocol'
import { plainBody } from '../compression/plain-body.ts'

export type PushHeader = Header<typeof PUSH_REPLY_MESSAGE_TO_CLIENT.tables.request>

export interface ReceivedReply {
  readonly body: Buffer
  /** How `body` is still compressed: `none`, except where this library cannot read it. */
  readonly compression: Compression
  /** Why `body` is still compressed, as a sentence; undefined when it is not. */
  readonly bodyProblem: string | undefined
  /** What request and reply have in common, and no other request has. */
  readonly correlationId: string
  readonly msgId: string
  readonly tag: string | undefined
  readonly keys: readonly string[]
  /** All properties, those of the system included. */
  readonly properties: Readonly<Record<string, string>>
  /** The number that the replying application gave it. */
  readonly flag: number
  /** When the reply was made, in ms since 1970. */
  readonly bornAtMs: number
  /** When it came here, in ms since 1970. */
  readonly arrivedAtMs: number
  /** Address of who replied, as the broker saw it. */
  readonly bornHost: string
  /** Address of the broker that passed it on. */
  readonly storeHost: string
}

/** The reply in a push. `body` must not change any more. */
export function receivedReply(header: PushHeader, body: Buffer, nowMs: number): ReceivedReply {
  const properties = decodeProperties(header.properties ?? '')
  properties.set('ARRIVE_TIME', String(nowMs))
  return {
    ...plainBody(body, header.sysFlag ?? 0),
    correlationId: properties.get('CORRELATION_ID') ?? '',
    msgId: properties.get('UNIQ_KEY') ?? '',
    tag: properties.get('TAGS'),
    keys: (properties.get('KEYS') ?? '').split(' ').filter((key) => key !== ''),
    properties: Object.fromEntries(properties),
    flag: header.flag ?? 0,
    bornAtMs: header.bornTimestamp ?? 0,
    arrivedAtMs: nowMs,
    bornHost: header.bornHost ?? '',
    storeHost: header.storeHost ?? '',
  }
}
