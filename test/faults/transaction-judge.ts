/**
 * Judges what became of the transactions of a storm. Pure: each rule takes what producers and
 * consumers saw, and what the topics hold at the end, and gives back a sentence for each broken
 * promise.
 */
import type { Finding } from '@rockhopper/sim'
import { fateOf, numberOf } from './transaction-fates.mjs'

/** A half message, or a copy of one. */
export interface HalfSeen {
  readonly queueOffset: number
  readonly body: string
}

export interface TransactionEvidence {
  /** Numbers of transactions that a producer began to send. */
  readonly begun: ReadonlySet<number>
  /** Those of which a broker said that it has stored the half message. */
  readonly stored: ReadonlySet<number>
  /** Those about which a producer was asked. */
  readonly asked: ReadonlySet<number>
  /** Bodies that the topic holds. */
  readonly visible: readonly string[]
  /** Bodies that the consumers were given. */
  readonly delivered: readonly string[]
  readonly halves: readonly HalfSeen[]
  /** Queue offsets of half messages that op messages tell of. */
  readonly over: ReadonlySet<number>
  /** Bodies of transactions that were given up. */
  readonly givenUp: readonly string[]
}

/** What the rules ask for, by number. */
interface Case extends TransactionEvidence {
  readonly visibleTimes: ReadonlyMap<number, number>
  readonly deliveredTimes: ReadonlyMap<number, number>
  /** Queue offset of the newest copy of each half message. */
  readonly newest: ReadonlyMap<number, number>
}

const RULES: Readonly<Record<string, (evidence: Case) => string[]>> = {
  'a half message that was acknowledged is stored': lostHalves,
  'what was committed is stored': lost,
  'what was committed is stored once': twice,
  'what was rolled back is never seen': rolledBack,
  'what is seen was sent': phantoms,
  'what is stored is consumed': unconsumed,
  'what was consumed stays': vanished,
  'no half message is left open': open,
  'nobody decides for a producer that does not know': unasked,
  'nothing is given up': givenUp,
}

/** Every broken promise: of each rule the first sentences, and how many there are. */
export function judgeTransactions(evidence: TransactionEvidence, limit = 3): Finding[] {
  const newest = new Map<number, number>()
  for (const { body, queueOffset } of evidence.halves) {
    const number = numberOf(body) ?? -1
    newest.set(number, Math.max(queueOffset, newest.get(number) ?? -1))
  }
  const visibleTimes = timesOf(evidence.visible)
  const deliveredTimes = timesOf(evidence.delivered)
  const all = { ...evidence, visibleTimes, deliveredTimes, newest }
  return Object.entries(RULES).flatMap(([rule, check]) => {
    const broken = check(all)
    const rest = broken.length > limit ? [`and ${broken.length - limit} more`] : []
    return [...broken.slice(0, limit), ...rest].map((sentence) => ({ rule, sentence }))
  })
}

/** Numbers of transactions whose newest half message no op message tells of. */
export function openOf({
  halves,
  over,
}: Pick<TransactionEvidence, 'halves' | 'over'>): readonly string[] {
  const newest = new Map<string, number>()
  for (const { body, queueOffset } of halves) {
    newest.set(body, Math.max(queueOffset, newest.get(body) ?? -1))
  }
  return [...newest].flatMap(([body, queueOffset]) => (over.has(queueOffset) ? [] : [body]))
}

function lostHalves({ newest, stored }: Case): string[] {
  return [...stored]
    .filter((number) => !newest.has(number))
    .map((number) => `the half message of ${number} was acknowledged and is not there`)
}

function lost({ stored, visibleTimes }: Case): string[] {
  return [...stored]
    .filter((number) => fateOf(number).end === 'commit' && !visibleTimes.has(number))
    .map((number) => `${number} was committed (${fateOf(number).manner}) and is not there`)
}

function twice({ visibleTimes }: Case): string[] {
  return [...visibleTimes]
    .filter(([, times]) => times > 1)
    .map(([number, times]) => `${number} (${fateOf(number).manner}) is stored ${times} times`)
}

function rolledBack({ deliveredTimes, visibleTimes }: Case): string[] {
  const seen = new Set([...visibleTimes.keys(), ...deliveredTimes.keys()])
  return [...seen]
    .filter((number) => number >= 0 && fateOf(number).end === 'rollback')
    .map((number) => `${number} was rolled back (${fateOf(number).manner}) and is seen`)
}

function phantoms({ begun, deliveredTimes, visibleTimes }: Case): string[] {
  const seen = new Set([...visibleTimes.keys(), ...deliveredTimes.keys()])
  return [...seen]
    .filter((number) => !begun.has(number))
    .map((number) => (number < 0 ? 'a message is none of ours' : `${number} was never sent`))
}

function unconsumed({ deliveredTimes, visibleTimes }: Case): string[] {
  return [...visibleTimes.keys()]
    .filter((number) => !deliveredTimes.has(number))
    .map((number) => `${number} is stored and was never consumed`)
}

function vanished({ deliveredTimes, visibleTimes }: Case): string[] {
  return [...deliveredTimes.keys()]
    .filter((number) => !visibleTimes.has(number))
    .map((number) => `${number} was consumed and is not there any more`)
}

function open(evidence: Case): string[] {
  return openOf(evidence).map((body) => `${body} has a half message that nothing tells of`)
}

function unasked({ asked, newest, over, stored }: Case): string[] {
  return [...stored]
    .filter((number) => fateOf(number).manner === 'when asked' && !asked.has(number))
    .filter((number) => over.has(newest.get(number) ?? -1))
    .map((number) => `${number} is over, and nobody was asked about it`)
}

function givenUp({ givenUp: bodies }: Case): string[] {
  return bodies.map((body) => `${body} was given up`)
}

/** How often each number is there; -1 stands for what is none of ours. */
function timesOf(bodies: readonly string[]): Map<number, number> {
  const times = new Map<number, number>()
  for (const body of bodies) {
    const number = numberOf(body) ?? -1
    times.set(number, 1 + (times.get(number) ?? 0))
  }
  return times
}
