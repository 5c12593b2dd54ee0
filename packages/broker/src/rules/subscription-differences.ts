/**
 * Whether two members of a consumer group say the same of it: the topics they subscribe to and how
 * they filter them, how they share them, where they begin. When they do not, Apache's broker follows
 * whoever spoke last, and messages are lost to those who asked for them.
 */
import { type ConsumerData, retryTopicOf, type SubscriptionData } from '@rockhopper/protocol'

/** What one client says. */
export interface Announcement {
  readonly clientId: string
  readonly data: ConsumerData
}

/** The same text for two announcements that agree. */
export function announcementKey(data: ConsumerData): string {
  const { consumeFromWhere, consumeType, messageModel } = data
  const subscriptions = compared(data).map(({ topic, expressionType, ...rest }) => {
    return [topic, typeOf(expressionType), filterOf(rest)]
  })
  return JSON.stringify([consumeType, messageModel, consumeFromWhere, subscriptions.sort()])
}

/**
 * Whether an announcement can be compared at all: a client that reads queues it was assigned by its
 * application subscribes to nothing.
 */
export function isComparable(data: ConsumerData | undefined): data is ConsumerData {
  return data !== undefined && compared(data).length > 0
}

/** How two announcements differ, as a sentence without its full stop; empty when they agree. */
export function difference(left: Announcement, right: Announcement): string {
  const a = `"${left.clientId}"`
  const b = `"${right.clientId}"`
  const parts = [
    ...subscriptionParts(a, left.data, b, right.data),
    ...settingPart(a, left.data.messageModel, b, right.data.messageModel),
    ...settingPart(a, left.data.consumeType, b, right.data.consumeType),
    ...settingPart(a, left.data.consumeFromWhere, b, right.data.consumeFromWhere),
  ]
  return parts.join('; ')
}

function subscriptionParts(
  a: string,
  left: ConsumerData,
  b: string,
  right: ConsumerData,
): string[] {
  const [ours, theirs] = [byTopic(left), byTopic(right)]
  const parts: string[] = []
  for (const topic of [...new Set([...ours.keys(), ...theirs.keys()])].sort()) {
    const [one, other] = [ours.get(topic), theirs.get(topic)]
    const [mine, its] = [one && expressionText(one), other && expressionText(other)]
    if (mine === its) continue
    if (its === undefined) parts.push(`${a} subscribes to "${topic}" and ${b} does not`)
    else if (mine === undefined) parts.push(`${b} subscribes to "${topic}" and ${a} does not`)
    else parts.push(`${a} filters "${topic}" by ${mine} and ${b} by ${its}`)
  }
  return parts
}

function settingPart(a: string, left: string, b: string, right: string): string[] {
  return left === right ? [] : [`${a} says ${left} and ${b} says ${right}`]
}

/** Without the group's own retry topic, which a broadcasting member leaves out. */
function compared({ groupName, subscriptionDataSet }: ConsumerData): SubscriptionData[] {
  const retryTopic = retryTopicOf(groupName)
  return subscriptionDataSet.filter(({ topic }) => topic !== retryTopic)
}

function byTopic(data: ConsumerData): Map<string, SubscriptionData> {
  return new Map(compared(data).map((subscription) => [subscription.topic, subscription]))
}

function expressionText(subscription: SubscriptionData): string {
  return `${typeOf(subscription.expressionType)} "${filterOf(subscription)}"`
}

function typeOf(expressionType: string): string {
  return expressionType === '' ? 'TAG' : expressionType
}

/** Tags in any order are the same tags. */
function filterOf({ subString, tagsSet }: Pick<SubscriptionData, 'subString' | 'tagsSet'>): string {
  return tagsSet.length > 0 ? [...tagsSet].sort().join(' || ') : subString.trim()
}
