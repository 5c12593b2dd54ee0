/**
 * Judges what happened in a simulation by the promises of the suite. Pure: each rule takes the
 * history and the queues as they are at the end, and gives back a sentence for each broken promise.
 */
import type { Delivery, History, SentMessage, Spot, StoredMessage } from './history.ts'

/** Everything that is judged. */
export interface Evidence {
  readonly history: Pick<History, 'sent' | 'deliveries' | 'committed'>
  /** Each queue as read from its beginning to its end, by queue id. */
  readonly queues: ReadonlyMap<number, readonly StoredMessage[]>
  /** Tags that the group subscribed to; all when absent. */
  readonly wantedTags?: ReadonlySet<string> | undefined
  /** Whether no machine, wire or handler failed: then more is promised. */
  readonly undisturbed: boolean
}

/** A broken promise. */
export interface Finding {
  readonly rule: string
  /** What was seen, as a sentence. */
  readonly sentence: string
}

type Rule = (evidence: Evidence) => string[]

/** Each promise by its name. */
const RULES: Readonly<Record<string, Rule>> = {
  'queues have no holes and no repeats': holesAndRepeats,
  'what is stored was sent, unchanged': foreignMessages,
  'an acknowledged message is where its result says': misplacedMessages,
  'a producer’s messages are stored in its order': overtakenSends,
  'what was delivered is what is stored': phantoms,
  'every message of the subscription is handled': unhandledMessages,
  'only messages of the subscription are delivered': unwantedDeliveries,
  'messages are first delivered in the order of their queue': overtakenDeliveries,
  'an offset is committed after its messages were handled': earlyCommits,
  'a committed offset does not move back in quiet times': retreats,
  'nothing is stored or delivered twice in quiet times': repeats,
}

/** Every broken promise; of each rule at most `limit`. */
export function judge(evidence: Evidence, limit = 5): Finding[] {
  return Object.entries(RULES).flatMap(([rule, check]) =>
    check(evidence)
      .slice(0, limit)
      .map((sentence) => ({ rule, sentence })),
  )
}

function holesAndRepeats({ queues }: Evidence): string[] {
  return [...queues].flatMap(([queueId, messages]) =>
    messages.flatMap(({ queueOffset }, index) =>
      queueOffset === index
        ? []
        : [`queue ${queueId} has offset ${queueOffset} where ${index} is expected`],
    ),
  )
}

function foreignMessages({ history, queues }: Evidence): string[] {
  const sent = byKey(history.sent)
  return allStored(queues).flatMap((stored) => {
    const original = sent.get(stored.key)
    if (original === undefined) return [`${placeOf(stored)} has a message that nobody sent`]
    const changed = original.body !== stored.body || original.tag !== stored.tag
    return changed ? [`${stored.key} at ${placeOf(stored)} is not what was sent`] : []
  })
}

function misplacedMessages({ history, queues }: Evidence): string[] {
  return history.sent.flatMap(({ key, acknowledged }) => {
    if (acknowledged === undefined) return []
    const stored = queues.get(acknowledged.queueId)?.[acknowledged.queueOffset]
    if (stored?.key === key) return []
    const instead = stored === undefined ? 'nothing is there' : `${stored.key} is there`
    const when = `acknowledged at ${shown(acknowledged.atMs)} ms`
    return [`${key} was ${when} as ${placeOf(acknowledged)}, but ${instead}`]
  })
}

/** A send that began after the acknowledgement of another goes behind it where queues agree. */
function overtakenSends({ history }: Evidence): string[] {
  const sends = [...history.sent].sort((one, other) => one.beganStep - other.beganStep)
  const lasts = new Map<string, SentMessage[]>()
  const found: string[] = []
  for (const send of sends) {
    if (send.acknowledged === undefined) continue
    const line = `${send.producer} ${send.acknowledged.queueId}`
    const before = lasts.get(line) ?? []
    const overtaken = before.find((earlier) => isOvertaken(earlier, send))
    if (overtaken !== undefined) {
      found.push(`${send.key} was sent after ${overtaken.key} and is stored before it`)
    }
    lasts.set(line, [...before, send])
  }
  return found
}

function isOvertaken(earlier: SentMessage, later: SentMessage): boolean {
  const [one, other] = [earlier.acknowledged, later.acknowledged]
  if (one === undefined || other === undefined || one.step > later.beganStep) return false
  return one.queueOffset >= other.queueOffset
}

function phantoms({ history, queues }: Evidence): string[] {
  return history.deliveries.flatMap((delivery) => {
    const stored = queues.get(delivery.queueId)?.[delivery.queueOffset]
    const isSame = stored?.body === delivery.body && stored.tag === delivery.tag
    if (isSame) return []
    const instead = stored === undefined ? 'nothing' : stored.key
    return [
      `${delivery.consumer} got ${delivery.key || 'a message without a name'} as ` +
        `${placeOf(delivery)}, where ${instead} is stored`,
    ]
  })
}

function unhandledMessages(evidence: Evidence): string[] {
  const handled = new Set(
    evidence.history.deliveries
      .filter(({ handledStep }) => handledStep !== undefined)
      .map((delivery) => placeOf(delivery)),
  )
  return allStored(evidence.queues)
    .filter((stored) => isWanted(evidence, stored) && !handled.has(placeOf(stored)))
    .map((stored) => `${stored.key} is stored as ${placeOf(stored)} and was never handled`)
}

function unwantedDeliveries(evidence: Evidence): string[] {
  return evidence.history.deliveries
    .filter((delivery) => !isWanted(evidence, delivery))
    .map(({ key, tag, consumer }) => `${consumer} got ${key} with the unwanted tag ${tag}`)
}

function overtakenDeliveries({ history }: Evidence): string[] {
  const reached = new Map<number, number>()
  const known = new Set<string>()
  return inOrder(history.deliveries).flatMap((delivery) => {
    const { queueId, queueOffset, key } = delivery
    if (known.has(placeOf(delivery))) return []
    known.add(placeOf(delivery))
    const highest = reached.get(queueId) ?? -1
    reached.set(queueId, Math.max(highest, queueOffset))
    if (queueOffset > highest) return []
    return [`${key} (${placeOf(delivery)}) came for the first time after offset ${highest}`]
  })
}

/**
 * All wanted messages below a committed offset must have been handled before it was seen, or have
 * failed: then they were given back, and that they come again is another promise.
 */
function earlyCommits(evidence: Evidence): string[] {
  const handledAt = new Map<string, number>()
  for (const delivery of evidence.history.deliveries) {
    const doneStep = delivery.handledStep ?? delivery.failedStep
    const known = handledAt.get(placeOf(delivery)) ?? Number.POSITIVE_INFINITY
    if (doneStep !== undefined) handledAt.set(placeOf(delivery), Math.min(known, doneStep))
  }
  const checkedTo = new Map<number, number>()
  return evidence.history.committed.flatMap(({ queueId, queueOffset, step, atMs }) => {
    const from = checkedTo.get(queueId) ?? 0
    checkedTo.set(queueId, Math.max(from, queueOffset))
    const messages = (evidence.queues.get(queueId) ?? []).slice(from, queueOffset)
    return messages
      .filter((stored) => isWanted(evidence, stored))
      .filter((stored) => (handledAt.get(placeOf(stored)) ?? Number.POSITIVE_INFINITY) > step)
      .map(
        (stored) =>
          `queue ${queueId} was committed up to ${queueOffset} at ${shown(atMs)} ms, ` +
          `before ${stored.key} (${placeOf(stored)}) was handled`,
      )
  })
}

function retreats({ history, undisturbed }: Evidence): string[] {
  if (!undisturbed) return []
  const reached = new Map<number, number>()
  return history.committed.flatMap(({ queueId, queueOffset, atMs }) => {
    const highest = reached.get(queueId) ?? 0
    reached.set(queueId, Math.max(highest, queueOffset))
    if (queueOffset >= highest) return []
    const from = `from ${highest} to ${queueOffset}`
    return [`the committed offset of queue ${queueId} went back ${from} at ${shown(atMs)} ms`]
  })
}

function repeats({ history, queues, undisturbed }: Evidence): string[] {
  if (!undisturbed) return []
  const stored = [...repeated(allStored(queues).map(({ key }) => key))]
  const delivered = [...repeated(history.deliveries.map(({ key }) => key))]
  return [
    ...stored.map((key) => `${key} is stored twice`),
    ...delivered.map((key) => `${key} was delivered twice`),
  ]
}

function repeated(keys: readonly string[]): Set<string> {
  const known = new Set<string>()
  return new Set(keys.filter((key) => known.size === known.add(key).size))
}

/** How many deliveries were of messages that had been delivered before. */
export function countRepeats(deliveries: readonly Delivery[]): number {
  return deliveries.length - new Set(deliveries.map(placeOf)).size
}

function inOrder(deliveries: readonly Delivery[]): Delivery[] {
  return [...deliveries].sort((one, other) => one.beganStep - other.beganStep)
}

function isWanted({ wantedTags }: Evidence, { tag }: { readonly tag: string }): boolean {
  return wantedTags === undefined || wantedTags.has(tag)
}

function byKey(sent: readonly SentMessage[]): Map<string, SentMessage> {
  return new Map(sent.map((message) => [message.key, message]))
}

function allStored(queues: Evidence['queues']): StoredMessage[] {
  return [...queues.values()].flat()
}

function placeOf({ queueId, queueOffset }: Spot): string {
  return `queue ${queueId} offset ${queueOffset}`
}

function shown(timeMs: number): string {
  return timeMs.toFixed(1)
}
