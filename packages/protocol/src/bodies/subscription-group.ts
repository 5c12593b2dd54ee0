/**
 * The settings of a consumer group on a broker, as body and in `config/subscriptionGroup.json`.
 * Source: Apache class SubscriptionGroupConfig; `broker-api.md` section 16.5.
 */
import { asBool, asNumber, asObject, asText } from './shape.ts'

export interface SubscriptionGroupConfig {
  readonly groupName: string
  readonly consumeEnable: boolean
  readonly consumeFromMinEnable: boolean
  readonly consumeBroadcastEnable: boolean
  readonly consumeMessageOrderly: boolean
  readonly retryQueueNums: number
  readonly retryMaxTimes: number
  readonly groupRetryPolicy: Readonly<Record<string, unknown>>
  readonly brokerId: number
  readonly whichBrokerWhenConsumeSlowly: number
  readonly notifyConsumerIdsChangedEnable: boolean
  readonly groupSysFlag: number
  readonly consumeTimeoutMinute: number
  readonly attributes: Readonly<Record<string, unknown>>
}

/** Reads a configuration; a key that is missing keeps Apache's default. */
export function subscriptionGroupOf(value: unknown): SubscriptionGroupConfig {
  const json = asObject(value)
  return {
    attributes: asObject(json['attributes']),
    brokerId: asNumber(json['brokerId'], 0),
    consumeBroadcastEnable: asBool(json['consumeBroadcastEnable'], true),
    consumeEnable: asBool(json['consumeEnable'], true),
    consumeFromMinEnable: asBool(json['consumeFromMinEnable'], true),
    consumeMessageOrderly: asBool(json['consumeMessageOrderly'], false),
    consumeTimeoutMinute: asNumber(json['consumeTimeoutMinute'], 15),
    groupName: asText(json['groupName']),
    groupRetryPolicy: asObject(json['groupRetryPolicy'] ?? { type: 'CUSTOMIZED' }),
    groupSysFlag: asNumber(json['groupSysFlag'], 0),
    notifyConsumerIdsChangedEnable: asBool(json['notifyConsumerIdsChangedEnable'], true),
    retryMaxTimes: asNumber(json['retryMaxTimes'], 16),
    retryQueueNums: asNumber(json['retryQueueNums'], 1),
    whichBrokerWhenConsumeSlowly: asNumber(json['whichBrokerWhenConsumeSlowly'], 1),
  }
}
