/**
 * The settings of a consumer group on a broker, as body and in `config/subscriptionGroup.json`.
 * Source: Apache class SubscriptionGroupConfig; `broker-api.md` section 16.5.
 */
import { asBool, asNumber, asObject, asText } from './shape.ts'

/** Attributes of groups that brokers of this suite know; Apache's 5.3.3 knows none. */
export const groupAttribute = {
  /** `off`, `warn` or `strict`: stands in for the broker's `subscriptionGuard`. */
  guard: 'subscription.guard',
  /** Until when its members may subscribe differently, ms since 1970. */
  transitionUntil: 'subscription.transition.until',
} as const

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
  /** Subscriptions that an operator wrote down; kept for Apache, which does so too. */
  readonly subscriptionDataSet?: readonly unknown[]
}

/** Reads a configuration; a key that is missing keeps Apache's default. */
export function subscriptionGroupOf(value: unknown): SubscriptionGroupConfig {
  const json = asObject(value)
  const subscriptions = json['subscriptionDataSet']
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
    ...(Array.isArray(subscriptions) ? { subscriptionDataSet: subscriptions } : {}),
    whichBrokerWhenConsumeSlowly: asNumber(json['whichBrokerWhenConsumeSlowly'], 1),
  }
}
