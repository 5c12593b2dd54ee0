/** A message as an operator sees it. */
import { isUtf8 } from 'node:buffer'
import { plainBody } from '@rockhopper/client'
import {
  decodeProperties,
  type HostAddress,
  ipText,
  offsetIdPrefix,
  offsetMessageId,
  type StoredRecord,
} from '@rockhopper/protocol'

export interface SeenMessage {
  /** The producer's unique key; the offset id when the producer gave none. */
  readonly msgId: string
  readonly offsetMsgId: string
  readonly topic: string
  readonly brokerName: string
  readonly queueId: number
  readonly queueOffset: number
  readonly commitLogOffset: number
  readonly storeSize: number
  readonly bodyCrc: number
  readonly sysFlag: number
  readonly flag: number
  /** When the producer made it and the broker stored it, ms since 1970. */
  readonly bornTimestamp: number
  readonly storeTimestamp: number
  readonly bornHost: string
  readonly storeHost: string
  readonly reconsumeTimes: number
  readonly preparedTransactionOffset: number
  readonly properties: ReadonlyMap<string, string>
  /** As text; empty when the bytes are none. */
  readonly body: string
  /** The bytes of a body that is no text. */
  readonly bodyBase64?: string
}

export function seenMessage(record: StoredRecord, brokerName: string): SeenMessage {
  const properties = decodeProperties(record.properties)
  const offsetMsgId = offsetMessageId(offsetIdPrefix(record.storeHost), record.logOffset)
  // A body packed by a means that is not known here, or a broken one, is shown as it is.
  const { body } = plainBody(record.body, record.sysFlag)
  return {
    msgId: properties.get('UNIQ_KEY') ?? offsetMsgId,
    offsetMsgId,
    topic: record.topic,
    brokerName,
    queueId: record.queueId,
    queueOffset: record.queueOffset,
    commitLogOffset: record.logOffset,
    storeSize: record.sizeBytes,
    bodyCrc: record.bodyCrc,
    sysFlag: record.sysFlag,
    flag: record.flag,
    bornTimestamp: record.bornTimestamp,
    storeTimestamp: record.storeTimestamp,
    bornHost: hostText(record.bornHost),
    storeHost: hostText(record.storeHost),
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.preparedTransactionOffset,
    properties,
    ...(isUtf8(body)
      ? { body: body.toString() }
      : { body: '', bodyBase64: body.toString('base64') }),
  }
}

function hostText({ ip, port }: HostAddress): string {
  const text = ipText(ip)
  return text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`
}
