/**
 * What a client wants a broker to check before it consumes: one subscription with its filter.
 * Source: Apache class CheckClientRequestBody; `broker-api.md` section 6.3.
 */
import { parseFastjson } from '../fastjson.ts'
import { type SubscriptionData, subscriptionOf } from './heartbeat.ts'
import { asObject, asText } from './shape.ts'

export interface ClientCheck {
  readonly clientId: string
  readonly group: string
  readonly namespace: string
  /** Absent when there is nothing to check. */
  readonly subscriptionData: SubscriptionData | undefined
}

export function encodeClientCheck(check: ClientCheck): Buffer {
  return Buffer.from(JSON.stringify(check))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeClientCheck(body: Buffer): ClientCheck {
  const json = asObject(parseFastjson(body.toString()))
  const subscription = json['subscriptionData']
  return {
    clientId: asText(json['clientId']),
    group: asText(json['group']),
    namespace: asText(json['namespace']),
    subscriptionData:
      subscription === undefined || subscription === null
        ? undefined
        : subscriptionOf(subscription),
  }
}
