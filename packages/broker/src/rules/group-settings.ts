/**
 * What the settings of a consumer group may be.
 * Source: Apache classes SubscriptionGroupConfig, AttributeUtil; `broker-api.md` section 9.
 */
import {
  groupAttribute,
  groupNameProblem,
  type SubscriptionGroupConfig,
} from '@rockhopper/protocol'
import { MAX_QUEUES_PER_TOPIC } from '../limits.ts'

type Attributes = Readonly<Record<string, unknown>>

const ranges: readonly (readonly [keyof SubscriptionGroupConfig, number, number])[] = [
  ['retryQueueNums', 0, MAX_QUEUES_PER_TOPIC],
  ['retryMaxTimes', -1, 2 ** 31 - 1],
  ['brokerId', 0, Number.MAX_SAFE_INTEGER],
  ['whichBrokerWhenConsumeSlowly', 0, Number.MAX_SAFE_INTEGER],
  ['consumeTimeoutMinute', 1, 2 ** 31 - 1],
]

/** What is wrong with the settings, as a sentence; undefined when nothing is. */
export function groupProblem(config: SubscriptionGroupConfig): string | undefined {
  const nameProblem = groupNameProblem(config.groupName)
  if (nameProblem !== undefined) return nameProblem
  for (const [key, min, max] of ranges) {
    const value = Number(config[key])
    if (Number.isInteger(value) && value >= min && value <= max) continue
    return `its ${key} must be a whole number from ${min} to ${max}, not ${value}`
  }
  return undefined
}

/** Attributes there are, each with its values as a pattern and in words. */
const attributeValues = new Map<string, { readonly pattern: RegExp; readonly words: string }>([
  [groupAttribute.guard, { pattern: /^(off|warn|strict)$/, words: 'off, warn or strict' }],
  [groupAttribute.transitionUntil, { pattern: /^\d{1,15}$/, words: 'a time in ms since 1970' }],
])

/**
 * Attributes after the changes asked for: `+key` sets, `-key` removes, and a bare key stands for
 * itself, as tools write it that send back what they read. What is wrong with them, as a sentence,
 * when they are not possible.
 */
export function changedAttributes(known: Attributes, asked: Attributes): Attributes | string {
  const attributes: Record<string, unknown> = { ...known }
  for (const [word, value] of Object.entries(asked)) {
    const key = word.replace(/^[+-]/, '')
    const values = attributeValues.get(key)
    if (values === undefined) {
      const known = [...attributeValues.keys()].join(', ')
      return `unsupported key: there is no attribute "${key}", only ${known}`
    }
    if (word.startsWith('-')) {
      delete attributes[key]
      continue
    }
    if (!values.pattern.test(String(value))) {
      return `its attribute ${key} must be ${values.words}, not "${value}"`
    }
    attributes[key] = String(value)
  }
  return attributes
}
