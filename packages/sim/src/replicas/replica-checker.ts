/**
 * Judges what happened to masters and slaves by what their mode promises. Pure: each rule takes the
 * evidence and gives back a sentence for each broken promise.
 */
import type { Finding } from '../checker.ts'
import { brokerNameOf, type ReplicaHistory } from './replica-history.ts'
import { type Loss, mayBeLost, type ReplicaMode } from './replica-mode.ts'
import type { StoredMessage } from './replica-operator.ts'

export interface ReplicaEvidence {
  readonly mode: ReplicaMode
  readonly history: Pick<
    ReplicaHistory,
    'sent' | 'deliveries' | 'commits' | 'losses' | 'disturbances'
  >
  /** Everything that the masters have at the end, in the order of each queue. */
  readonly stored: readonly StoredMessage[]
}

type Rule = (evidence: ReplicaEvidence) => string[]

const RULES: Readonly<Record<string, Rule>> = {
  'an acknowledged message is where its result says': lostMessages,
}

/** Every broken promise; of each rule at most `limit`. */
export function judgeReplicas(evidence: ReplicaEvidence, limit = 4): Finding[] {
  return Object.entries(RULES).flatMap(([rule, check]) => {
    const found = check(evidence)
    const more = found.length > limit ? [`and so ${found.length - limit} times more`] : []
    return [...found.slice(0, limit), ...more].map((sentence) => ({ rule, sentence }))
  })
}

function lostMessages({ history, mode, stored }: ReplicaEvidence): string[] {
  const keys = new Map(stored.map((each) => [`${each.queue} ${each.queueOffset}`, each.key]))
  return history.sent.flatMap(({ acknowledged, key }) => {
    if (acknowledged === undefined) return []
    const { atMs, queue, queueOffset } = acknowledged
    const there = keys.get(`${queue} ${queueOffset}`)
    if (there === key || mayBeLost(mode, lossesOf(history.losses, queue, atMs))) return []
    const instead = there === undefined ? 'nothing' : there
    return [
      `${key} was acknowledged at ${shown(atMs)} as ${queue} offset ${queueOffset}, where ` +
        `${instead} is at the end`,
    ]
  })
}

/** What the brokers of a queue lost from then on. */
function lossesOf(losses: readonly Loss[], queue: string, sinceMs: number): readonly Loss[] {
  const name = brokerNameOf(queue)
  return losses.filter(({ atMs, brokerName }) => brokerName === name && atMs >= sinceMs)
}

function shown(timeMs: number): string {
  return `${(timeMs / 1000).toFixed(3)} s`
}
