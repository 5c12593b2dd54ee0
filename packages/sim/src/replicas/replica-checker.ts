/**
 * Judges what happened to masters and slaves by what their mode promises. Pure: each rule takes the
 * evidence and gives back a sentence for each broken promise.
 */
import type { Finding } from '../checker.ts'
import { brokerNameOf, type ReplicaHistory, type ReplicaSpot } from './replica-history.ts'
import { isForgetful, type Loss, mayBeLost, type ReplicaMode } from './replica-mode.ts'
import type { StoredMessage } from './replica-operator.ts'

export interface ReplicaEvidence {
  readonly mode: ReplicaMode
  /** Whether the mode promises to survive all that went wrong. */
  readonly isWithinPromise: boolean
  readonly history: Pick<
    ReplicaHistory,
    'sent' | 'deliveries' | 'commits' | 'losses' | 'disturbances'
  >
  /** Everything that the masters have at the end, in the order of each queue. */
  readonly stored: readonly StoredMessage[]
}

/** Brokers and clients are in step again so long after a disturbance. */
const AFTERMATH_MS = 40_000

type Rule = (evidence: ReplicaEvidence) => string[]

const RULES: Readonly<Record<string, Rule>> = {
  'an acknowledged message is where its result says': lostMessages,
  'queues have no holes and no repeats': holesAndRepeats,
  'what is stored was sent': foreignMessages,
  'what was delivered is what is stored': phantoms,
  'every stored message is handled': unhandledMessages,
  'messages are first delivered in the order of their queue': overtakenDeliveries,
  'an offset is committed after its messages were handled': earlyCommits,
  'a committed offset does not move back in quiet times': retreats,
}

/** Every broken promise; of each rule at most `limit`. */
export function judgeReplicas(evidence: ReplicaEvidence, limit = 4): Finding[] {
  return Object.entries(RULES).flatMap(([rule, check]) => {
    const found = check(evidence)
    const more = found.length > limit ? [`and so ${found.length - limit} times more`] : []
    return [...found.slice(0, limit), ...more].map((sentence) => ({ rule, sentence }))
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
  return losses.some((loss) => loss.brokerId === 0 && isForgetful(mode, loss))
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
  const sent = new Set(history.sent.map(({ key }) => key))
  return stored
    .filter(({ key }) => !sent.has(key))
    .map((message) => `${placeOf(message)} has a message that nobody sent`)
}

/** What no acknowledgement stands for may go with a machine, and its place be given anew. */
function phantoms(evidence: ReplicaEvidence): string[] {
  const keys = keysOf(evidence)
  return evidence.history.deliveries.flatMap((delivery) => {
    const there = keys.get(placeOf(delivery))
    if (there === delivery.key || wasPlaceGivenAnew(evidence, delivery.queue)) return []
    return [
      `${delivery.consumer} got ${delivery.key} at ${shown(delivery.atMs)} from ` +
        `${placeOf(delivery)}, where ${there ?? 'nothing'} is at the end`,
    ]
  })
}

function unhandledMessages(evidence: ReplicaEvidence): string[] {
  const { history, stored } = evidence
  const handled = new Set(
    history.deliveries.filter(({ handledMs }) => handledMs !== undefined).map(({ key }) => key),
  )
  return stored
    .filter(({ key, queue }) => !handled.has(key) && !wasPlaceGivenAnew(evidence, queue))
    .map((message) => `${message.key} is stored as ${placeOf(message)} and was never handled`)
}

function overtakenDeliveries(evidence: ReplicaEvidence): string[] {
  const reached = new Map<string, number>()
  const known = new Set<string>()
  return evidence.history.deliveries.flatMap((delivery) => {
    const { key, queue, queueOffset } = delivery
    if (known.has(placeOf(delivery)) || wasPlaceGivenAnew(evidence, queue)) return []
    known.add(placeOf(delivery))
    const highest = reached.get(queue) ?? -1
    reached.set(queue, Math.max(highest, queueOffset))
    if (queueOffset > highest) return []
    return [`${key} (${placeOf(delivery)}) came for the first time after offset ${highest}`]
  })
}

function earlyCommits(evidence: ReplicaEvidence): string[] {
  const handledMs = new Map<string, number>()
  for (const delivery of evidence.history.deliveries) {
    const place = placeOf(delivery)
    const ownMs = delivery.handledMs ?? Infinity
    handledMs.set(place, Math.min(ownMs, handledMs.get(place) ?? Infinity))
  }
  return evidence.history.commits.flatMap((commit) => {
    const { atMs, queue, queueOffset } = commit
    if (wasPlaceGivenAnew(evidence, queue)) return []
    for (let offset = 0; offset < queueOffset; offset += 1) {
      const place = placeOf({ queue, queueOffset: offset })
      if ((handledMs.get(place) ?? Infinity) <= atMs) continue
      return [`the group was at ${placeOf(commit)} at ${shown(atMs)}, before ${place} was handled`]
    }
    return []
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

/** Whether a machine that served the queue lost what was delivered, maybe before it was safe. */
function wasPlaceGivenAnew({ history, mode }: ReplicaEvidence, queue: string): boolean {
  return lossesOf(history.losses, queue).some((loss) => isForgetful(mode, loss))
}

/** What the brokers of a queue lost. */
function lossesOf(losses: readonly Loss[], queue: string): readonly Loss[] {
  const name = brokerNameOf(queue)
  return losses.filter(({ brokerName }) => brokerName === name)
}

function keysOf({ stored }: ReplicaEvidence): ReadonlyMap<string, string> {
  return new Map(stored.map((message) => [placeOf(message), message.key]))
}

function placeOf({ queue, queueOffset }: ReplicaSpot): string {
  return `${queue} offset ${queueOffset}`
}

function shown(timeMs: number): string {
  return `${(timeMs / 1000).toFixed(3)} s`
}
