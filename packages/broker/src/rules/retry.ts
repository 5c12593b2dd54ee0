/**
 * When a message that a group could not consume is tried again, and when it is not.
 * Source: Apache classes AbstractSendMessageProcessor (consumerSendMsgBack), SendMessageProcessor
 * (handleRetryAndDLQ), CustomizedRetryPolicy, ExponentialRetryPolicy; `broker-api.md` section 3.4.
 */
import {
  asList,
  asNumber,
  asObject,
  type DelayLevels,
  type SubscriptionGroupConfig,
} from '@rockhopper/protocol'

/** Version 3.4.9: clients from then on know how often their group wants to try. */
const KNOWS_MAX_TRIES_VERSION = 121

/** A first try that failed waits for as long as level 3 says, the next for as long as level 4 … */
const FIRST_RETRY_LEVEL = 3

/** An exponential policy does not grow further. Source: Apache class ExponentialRetryPolicy. */
const MAX_EXPONENT = 32

/** Retries behind which a message of the group is a dead letter. */
export function maxRetriesOf(
  group: SubscriptionGroupConfig,
  clientVersion: number,
  wishOfClient: number | undefined,
): number {
  if (wishOfClient === undefined || clientVersion < KNOWS_MAX_TRIES_VERSION) {
    return group.retryMaxTimes
  }
  return wishOfClient
}

/**
 * The level of delay of the next try of a message that was consumed `reconsumeTimes` times again. A
 * policy of the group counts if it says durations: that level is taken which is not shorter.
 */
export function retryLevelOf(
  group: SubscriptionGroupConfig,
  reconsumeTimes: number,
  delays: DelayLevels,
): number {
  const wishMs = policyDelayMs(group.groupRetryPolicy, Math.max(0, reconsumeTimes))
  if (wishMs === undefined) return FIRST_RETRY_LEVEL + reconsumeTimes
  const level = delays.findIndex((delayMs) => delayMs >= wishMs) + 1
  return level === 0 ? delays.length : level
}

function policyDelayMs(
  policy: Readonly<Record<string, unknown>>,
  reconsumeTimes: number,
): number | undefined {
  const isExponential = policy['type'] === 'EXPONENTIAL'
  const body = policy[isExponential ? 'exponentialRetryPolicy' : 'customizedRetryPolicy']
  if (typeof body !== 'object' || body === null) return undefined
  const settings = asObject(body)
  return isExponential
    ? exponentialMs(settings, reconsumeTimes)
    : customizedMs(settings, reconsumeTimes)
}

function exponentialMs(settings: Readonly<Record<string, unknown>>, times: number): number {
  const initialMs = asNumber(settings['initial'], 5_000)
  const maxMs = asNumber(settings['max'], 7_200_000)
  const multiplier = asNumber(settings['multiplier'], 2)
  return Math.min(initialMs * multiplier ** Math.min(times, MAX_EXPONENT), maxMs)
}

/** Its first two durations are never waited for: levels 1 and 2 are not, either. */
function customizedMs(
  settings: Readonly<Record<string, unknown>>,
  times: number,
): number | undefined {
  const durations = asList(settings['next']).map((duration) => asNumber(duration))
  return durations[Math.min(times + FIRST_RETRY_LEVEL - 1, durations.length - 1)]
}
