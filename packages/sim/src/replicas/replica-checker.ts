/**
 * Judges what happened to masters and slaves by what their mode promises. Pure: each rule takes the
 * evidence and gives back a sentence for each broken promise.
 */
import type { Finding } from '../run.ts'
import {
  brokerNameOf,
  type ReplicaContent,
  type ReplicaDelivery,
  type ReplicaHistory,
  type ReplicaSend,
  type ReplicaSpot,
} from './replica-history.ts'
import { isForgetful, type Loss, mayBeLost, type ReplicaMode } from './replica-mode.ts'
import type { StoredMessage } from './replica-operator.ts'

export interface ReplicaEvidence {
  readonly mode: ReplicaMode
  /** Whether the mode promises to survive all that went wrong. */
  readonly isWithinPromise: boolean
  /** Whether nothing went wrong at all: then more is promised. */
  readonly isUndisturbed: boolean
  readonly history: Pick<
    ReplicaHistory,
    'sent' | 'deliveries' | 'commits' | 'losses' | 'disturbances'
  >
  /** Everything that the masters have at the end, in the order of each queue. */
  readonly stored: readonly StoredMessage[]
  /** Tags that the group subscribed to; all when absent. */
  readonly wantedTags?: ReadonlySet<string> | undefined
}

/**
 * So long after a master lost something, slaves may still serve it, and applications be given what was
 * on its way to them: longer than a fault takes, and a send.
 */
const RETURN_MS = 7_000
/** Brokers and clients are in step again so long after a disturbance. */
const AFTERMATH_MS = 40_000

type Rule = (evidence: ReplicaEvidence) => string[]

const RULES: Readonly<Record<string, Rule>> = {
  'an acknowledged message is where its result says': lostMessages,
  'queues have no holes and no repeats': holesAndRepeats,
  'what is stored was sent, unchanged': foreignMessages,
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
export function judgeReplicas(evidence: ReplicaEvidence, limit = 4): Finding[] {
  return Object.entries(RULES).flatMap(([rule, check]) => {
    const found = check(evidence)
    const more = found.length > limit ? [`and so ${found.length - limit} times more`] : []
    return [...found.slice(0, limit), ...more].map((sentence) => ({ rule, sentence }))
  })
}

/** Failed deliveries of which no handler has made good, but for those that a machine may have lost. */
export function openFailures(
  { deliveries, losses }: Pick<ReplicaHistory, 'deliveries' | 'losses'>,
  mode: ReplicaMode,
): readonly ReplicaDelivery[] {
  const handled = handledKeys(deliveries)
  return deliveries.filter(({ failedMs, key }) => {
    return failedMs !== undefined && !handled.has(key) && !isForgotten(losses, mode, failedMs)
  })
}

function lostMessages(evidence: ReplicaEvidence): string[] {
  const keys = keysOf(evidence)
  return evidence.history.sent.flatMap(({ acknowledged, key }) => {
    if (acknowledged === undefined) return []
    const there = keys.get(placeOf(acknowledged))
    if (there === key || isLossExcused(evidence, acknowledged)) return []
    return [
      `${key} was acknowledged at ${shown(acknowledged.atMs)} as ${placeOf(acknowledged)}, where ` +
        `${there ?? 'nothing'} is at the end`,
    ]
  })
}

/** A master that lost what its slaves have gets it back, unless it does not find them then. */
function isLossExcused(
  { history, isWithinPromise, mode }: ReplicaEvidence,
  { atMs, queue }: ReplicaSpot & { readonly atMs: number },
): boolean {
  const losses = lossesOf(history.losses, queue).filter((loss) => loss.atMs >= atMs)
  if (isWithinPromise) return mayBeLost(mode, losses)
  return losses.some((loss) => isOfMaster(loss) && isForgetful(mode, loss))
}

function holesAndRepeats({ stored }: ReplicaEvidence): string[] {
  const next = new Map<string, number>()
  return stored.flatMap((message) => {
    const expected = next.get(message.queue) ?? 0
    next.set(message.queue, message.queueOffset + 1)
    if (message.queueOffset === expected) return []
    return [`${message.key} is at ${placeOf(message)}, where offset ${expected} is expected`]
  })
}

function foreignMessages({ history, stored }: ReplicaEvidence): string[] {
  const sent = new Map(history.sent.map((message) => [message.key, message]))
  return stored.flatMap((message) => {
    const original = sent.get(message.key)
    if (original === undefined) return [`${placeOf(message)} has a message that nobody sent`]
    if (isSame(original, message)) return []
    return [`${message.key} at ${placeOf(message)} is not what was sent`]
  })
}

/** A send that began after another one was acknowledged goes behind it, where the queue is the same. */
function overtakenSends(evidence: ReplicaEvidence): string[] {
  const lines = new Map<string, ReplicaSend[]>()
  return evidence.history.sent.flatMap((send) => {
    const { acknowledged, beganMs, key, producer } = send
    if (acknowledged === undefined) return []
    const line = `${producer} ${acknowledged.queue}`
    const before = lines.get(line) ?? []
    lines.set(line, [...before, send])
    const overtaken = before.find(({ acknowledged: earlier }) => {
      if (earlier === undefined || earlier.atMs >= beganMs) return false
      const isBehind = earlier.queueOffset < acknowledged.queueOffset
      return !isBehind && !isLossExcused(evidence, earlier)
    })
    if (overtaken === undefined) return []
    return [`${key} was sent after ${overtaken.key} and is stored before it`]
  })
}

/** What no acknowledgement stands for may go with a machine, and its place be given anew. */
function phantoms(evidence: ReplicaEvidence): string[] {
  const stored = new Map(evidence.stored.map((message) => [placeOf(message), message]))
  return evidence.history.deliveries.flatMap((delivery) => {
    const there = stored.get(placeOf(delivery))
    if (there !== undefined && isSame(there, delivery)) return []
    if (hasForgotten(evidence, delivery.queue, delivery.atMs - RETURN_MS)) return []
    return [
      `${delivery.consumer} got ${delivery.key || 'a message without a name'} at ` +
        `${shown(delivery.atMs)} from ${placeOf(delivery)}, where ${there?.key ?? 'nothing'} is ` +
        'at the end',
    ]
  })
}

/**
 * Who was past a place when that was lost may go on from there: if its messages are others meanwhile,
 * nobody tells him.
 */
function unhandledMessages(evidence: ReplicaEvidence): string[] {
  const { history, mode, stored } = evidence
  const handled = handledKeys(history.deliveries)
  const failed = new Map(history.deliveries.map(({ failedMs, key }) => [key, failedMs]))
  const reach = reachOfLost(evidence)
  return stored
    .filter((message) => isWanted(evidence, message) && !handled.has(message.key))
    .filter(({ queue, queueOffset }) => queueOffset >= (reach.get(queue) ?? 0))
    .filter(({ key }) => !isForgotten(history.losses, mode, failed.get(key)))
    .map((message) => `${message.key} is stored as ${placeOf(message)} and was never handled`)
}

function unwantedDeliveries(evidence: ReplicaEvidence): string[] {
  return evidence.history.deliveries
    .filter((delivery) => !isWanted(evidence, delivery))
    .map(({ consumer, key, tag }) => `${consumer} got ${key} with the unwanted tag ${tag}`)
}

function overtakenDeliveries(evidence: ReplicaEvidence): string[] {
  const reached = new Map<string, number>()
  const known = new Set<string>()
  const reach = reachOfLost(evidence)
  return evidence.history.deliveries.flatMap((delivery) => {
    const { key, queue, queueOffset } = delivery
    if (known.has(placeOf(delivery)) || queueOffset < (reach.get(queue) ?? 0)) return []
    known.add(placeOf(delivery))
    const highest = reached.get(queue) ?? -1
    reached.set(queue, Math.max(highest, queueOffset))
    if (queueOffset > highest) return []
    return [`${key} (${placeOf(delivery)}) came for the first time after offset ${highest}`]
  })
}

/**
 * All wanted messages below a committed offset were handled before it was seen, or have failed: then
 * they were given back, and that they come again is another promise.
 */
function earlyCommits(evidence: ReplicaEvidence): string[] {
  const doneMs = new Map<string, number>()
  for (const delivery of evidence.history.deliveries) {
    const place = placeOf(delivery)
    const ownMs = delivery.handledMs ?? delivery.failedMs ?? Infinity
    doneMs.set(place, Math.min(ownMs, doneMs.get(place) ?? Infinity))
  }
  const reach = reachOfLost(evidence)
  const wanted = evidence.stored.filter((message) => isWanted(evidence, message))
  return evidence.history.commits.flatMap((commit) => {
    const { atMs, queue, queueOffset } = commit
    const firstOffset = reach.get(queue) ?? 0
    const early = wanted.find((message) => {
      if (message.queue !== queue || message.queueOffset >= queueOffset) return false
      return message.queueOffset >= firstOffset && (doneMs.get(placeOf(message)) ?? Infinity) > atMs
    })
    if (early === undefined) return []
    return [
      `the group was at ${placeOf(commit)} at ${shown(atMs)}, before ${placeOf(early)} was handled`,
    ]
  })
}

function retreats({ history }: ReplicaEvidence): string[] {
  const last = new Map<string, { readonly queueOffset: number; readonly atMs: number }>()
  return history.commits.flatMap((commit) => {
    const { atMs, queue, queueOffset } = commit
    const before = last.get(queue)
    last.set(queue, commit)
    if (before === undefined || queueOffset >= before.queueOffset) return []
    const isExplained = history.disturbances.some(({ brokerName, fromMs, untilMs }) => {
      const isNear = fromMs <= atMs && untilMs + AFTERMATH_MS >= before.atMs
      return isNear && brokerName === brokerNameOf(queue)
    })
    if (isExplained) return []
    return [`${queue} was at ${before.queueOffset}, and at ${queueOffset} at ${shown(atMs)}`]
  })
}

function repeats({ history, isUndisturbed, stored }: ReplicaEvidence): string[] {
  if (!isUndisturbed) return []
  return [
    ...repeated(stored).map((key) => `${key} is stored twice`),
    ...repeated(history.deliveries).map((key) => `${key} was delivered twice`),
  ]
}

function repeated(list: readonly { readonly key: string }[]): string[] {
  const known = new Set<string>()
  return list.map(({ key }) => key).filter((key) => known.size === known.add(key).size)
}

/**
 * Up to where in each queue the group had got, as far as anybody saw, with messages that a machine
 * forgot afterwards: the next offset. Filters pass over messages that nobody sees.
 */
function reachOfLost(evidence: ReplicaEvidence): ReadonlyMap<string, number> {
  const { history, stored, wantedTags } = evidence
  const keys = keysOf(evidence)
  const reach = new Map<string, number>()
  const extend = (queue: string, to: number): void => {
    if (hasForgotten(evidence, queue)) reach.set(queue, Math.max(to, reach.get(queue) ?? 0))
  }
  for (const delivery of history.deliveries) {
    const isThere = keys.get(placeOf(delivery)) === delivery.key
    if (!isThere) extend(delivery.queue, delivery.queueOffset + 1)
  }
  if (wantedTags !== undefined) for (const { queue } of stored) extend(queue, Infinity)
  return reach
}

/**
 * Whether the master of the queue lost what was delivered before that was safe. What slaves lose, it
 * has still.
 */
function hasForgotten({ history, mode }: ReplicaEvidence, queue: string, fromMs = 0): boolean {
  const losses = lossesOf(history.losses, queue)
  return losses.some((loss) => loss.atMs >= fromMs && isOfMaster(loss) && isForgetful(mode, loss))
}

/** Whether what was given back then may be gone: any master may have had it. */
function isForgotten(losses: readonly Loss[], mode: ReplicaMode, failedMs = Infinity): boolean {
  return losses.some((loss) => {
    return loss.atMs >= failedMs && isOfMaster(loss) && isForgetful(mode, loss)
  })
}

function isOfMaster({ brokerId }: Loss): boolean {
  return brokerId === 0
}

/** What the brokers of a queue lost. */
function lossesOf(losses: readonly Loss[], queue: string): readonly Loss[] {
  const name = brokerNameOf(queue)
  return losses.filter(({ brokerName }) => brokerName === name)
}

function handledKeys(deliveries: readonly ReplicaDelivery[]): ReadonlySet<string> {
  return new Set(
    deliveries.filter(({ handledMs }) => handledMs !== undefined).map(({ key }) => key),
  )
}

function keysOf({ stored }: ReplicaEvidence): ReadonlyMap<string, string> {
  return new Map(stored.map((message) => [placeOf(message), message.key]))
}

function isSame(one: ReplicaContent, other: ReplicaContent): boolean {
  return one.key === other.key && one.tag === other.tag && one.body === other.body
}

function isWanted({ wantedTags }: ReplicaEvidence, { tag }: ReplicaContent): boolean {
  return wantedTags === undefined || wantedTags.has(tag)
}

function placeOf({ queue, queueOffset }: ReplicaSpot): string {
  return `${queue} offset ${queueOffset}`
}

function shown(timeMs: number): string {
  return `${(timeMs / 1000).toFixed(3)} s`
}
