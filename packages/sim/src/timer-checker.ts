/**
 * Judges a life of delayed messages by what a broker promises of them. Pure: each rule takes the
 * history and what the topic has at the end, and gives back a sentence for each broken promise.
 *
 * What is due is due by the broker's wall clock. A message with a time of its own is early when that
 * clock never showed its time before it was seen. A level of delay is a span: that the clock was set
 * back does not make it longer, so that its messages come in their order when the span is over, or over
 * once more; one that comes before the clock has gone forwards so far is early.
 */
import type { Finding } from './run.ts'
import type { DeliveredCopy, Stretch, TimedSend, TimerHistory } from './timer-history.ts'
import { lengthOf } from './timer-plan.ts'

export interface TimerEvidence {
  readonly history: Pick<TimerHistory, 'powerLosses' | 'sends' | 'stretches'>
  /** Everything the topic has at the end. */
  readonly delivered: readonly DeliveredCopy[]
  /** Length of a slot of the broker: what has a time of its own may be so late. */
  readonly precisionMs: number
  /** Whether the broker waits for its device before it acknowledges. */
  readonly isSync: boolean
}

/** A broker that has just started, or whose clock was set, needs so long to see what is due. */
const CATCH_UP_MS = 3_000
/** When nothing happened for a while, what is due is seen so soon, beside the precision. */
const PROMPT_MS = 200
const WHILE_MS = 5_000
/** Without a wait for the device, the last messages before a loss of power may be gone. */
const UNSAFE_MS = 15_000

const RULES: Readonly<Record<string, (evidence: TimerEvidence) => string[]>> = {
  'no message is early': early,
  'no copy is stored before its time': storedEarly,
  'no message is lost': lost,
  'no message is delivered twice': twice,
  'what is delivered was sent': phantoms,
  'what was called off is not delivered': recalled,
  'no message is late': late,
}

/** Every broken promise; of each rule at most `limit`. */
export function judgeTimers(evidence: TimerEvidence, limit = 4): Finding[] {
  return Object.entries(RULES).flatMap(([rule, check]) => {
    const found = check(evidence)
    const more = found.length > limit ? [`and so ${found.length - limit} times more`] : []
    return [...found.slice(0, limit), ...more].map((sentence) => ({ rule, sentence }))
  })
}

function early({ history: { sends, stretches } }: TimerEvidence): string[] {
  return sends.flatMap((sent) => {
    if (sent.seenMs === undefined) return []
    const byMs = earlyBy(sent, sent.seenMs, stretches)
    // Wall clocks show whole milliseconds.
    if (byMs < 1) return []
    return [`${sent.body} (${named(sent)}) was seen ${shown(byMs)} before its time`]
  })
}

function earlyBy(sent: TimedSend, seenMs: number, stretches: readonly Stretch[]): number {
  const { sentMs, wish } = sent
  if (wish.kind !== 'level') {
    return dueWallMs(sent, stretches).least - latestWallMs(stretches, sentMs, seenMs)
  }
  return wish.delayMs - (seenMs - sentMs) - setForthMs(stretches, sentMs, seenMs)
}

function storedEarly({ delivered, history: { sends, stretches } }: TimerEvidence): string[] {
  const known = new Map(sends.map((sent) => [sent.body, sent]))
  return delivered.flatMap(({ body, storeTimestamp }) => {
    const sent = known.get(body)
    if (sent === undefined || sent.wish.kind === 'level') return []
    const { least } = dueWallMs(sent, stretches)
    if (storeTimestamp >= least) return []
    return [`${body} (${named(sent)}) is stored ${shown(least - storeTimestamp)} before its time`]
  })
}

function lost(evidence: TimerEvidence): string[] {
  const there = new Set(evidence.delivered.map(({ body }) => body))
  return evidence.history.sends
    .filter((sent) => isPromised(sent, evidence) && !there.has(sent.body))
    .map((sent) => `${sent.body} (${named(sent)}) was stored at ${shown(sent.storedMs ?? 0)}`)
}

function twice({ delivered }: TimerEvidence): string[] {
  const places = new Map<string, number[]>()
  for (const { body, queueOffset } of delivered) {
    places.set(body, [...(places.get(body) ?? []), queueOffset])
  }
  return [...places]
    .filter(([, offsets]) => offsets.length > 1)
    .map(([body, offsets]) => `${body} is there at the offsets ${offsets.join(', ')}`)
}

function phantoms({ delivered, history: { sends } }: TimerEvidence): string[] {
  const known = new Set(sends.map(({ body }) => body))
  return delivered
    .filter(({ body }) => !known.has(body))
    .map(({ body }) => `"${body}" was not sent`)
}

function recalled({ delivered, history: { sends } }: TimerEvidence): string[] {
  const there = new Set(delivered.map(({ body }) => body))
  return (
    sends
      .filter(({ body, recalledMs }) => recalledMs !== undefined && there.has(body))
      // It was there before: a clock that was set back makes it seem to be of the future.
      .filter(({ recallMs = 0, seenMs = Infinity }) => seenMs > recallMs)
      .map(
        (sent) => `${sent.body} (${named(sent)}) was called off at ${shown(sent.recalledMs ?? 0)}`,
      )
  )
}

function late(evidence: TimerEvidence): string[] {
  const { sends, stretches } = evidence.history
  const endMs = stretches.at(-1)?.fromMs ?? 0
  return sends.flatMap((sent) => {
    if (!isPromised(sent, evidence)) return []
    const deadlineMs = deadlineOf(sent, evidence)
    const seenMs = sent.seenMs ?? Number.POSITIVE_INFINITY
    if (deadlineMs === undefined || seenMs <= deadlineMs) return []
    const when = sent.seenMs === undefined ? `not by ${shown(endMs)}` : `at ${shown(seenMs)}`
    return [`${sent.body} (${named(sent)}) was to be seen by ${shown(deadlineMs)}, and was ${when}`]
  })
}

/** Whether it must be delivered. */
function isPromised({ recallMs, sentMs, storedMs }: TimedSend, evidence: TimerEvidence): boolean {
  if (storedMs === undefined || recallMs !== undefined) return false
  if (evidence.isSync) return true
  return !evidence.history.powerLosses.some((lossMs) => {
    // What a broker said before it may still be on its way.
    return lossMs >= sentMs && lossMs < storedMs + UNSAFE_MS
  })
}

/** Undefined when the broker was never there for long enough. */
function deadlineOf(sent: TimedSend, evidence: TimerEvidence): number | undefined {
  const { stretches } = evidence.history
  const storedMs = sent.storedMs ?? 0
  const slackMs = sent.wish.kind === 'level' ? 0 : evidence.precisionMs
  for (const stretch of stretches) {
    const { fromMs, isUp, untilMs } = stretch
    if (!isUp || untilMs < storedMs) continue
    const dueMs = dueIn(stretch, sent, stretches)
    const isPrompt = dueMs >= fromMs + WHILE_MS
    const deadlineMs = dueMs + slackMs + (isPrompt ? PROMPT_MS : CATCH_UP_MS)
    if (deadlineMs < untilMs) return deadlineMs
  }
  return undefined
}

/** When a message would be due if things stayed as they are in a stretch. */
function dueIn(stretch: Stretch, sent: TimedSend, stretches: readonly Stretch[]): number {
  const beginMs = Math.max(stretch.fromMs, sent.storedMs ?? 0)
  const byWallMs = Math.max(dueWallMs(sent, stretches).most - stretch.aheadMs, beginMs)
  if (sent.wish.kind !== 'level') return byWallMs
  // In front of it may be messages from before a setback, which wait for the span once more.
  const isSetBack = wasSetBack(stretches, stretch.fromMs)
  return isSetBack ? beginMs + 2 * sent.wish.delayMs : byWallMs
}

function wasSetBack(stretches: readonly Stretch[], untilMs: number): boolean {
  const apart = between(stretches, 0, untilMs).map(({ aheadMs }) => aheadMs)
  return apart.some((aheadMs, i) => aheadMs < (apart[i - 1] ?? aheadMs))
}

/** Wall time at which it is due; a clock may have been set while it was on its way. */
function dueWallMs(
  sent: TimedSend,
  stretches: readonly Stretch[],
): { least: number; most: number } {
  if (sent.wish.kind === 'at') return { least: sent.dueWallMs, most: sent.dueWallMs }
  const untilMs = sent.storedMs ?? sent.sentMs + UNSAFE_MS
  const delayMs = lengthOf(sent.wish)
  const apart = between(stretches, sent.sentMs, untilMs).map(({ aheadMs }) => aheadMs)
  return {
    least: Math.floor(sent.sentMs) + Math.min(...apart) + delayMs,
    most: Math.ceil(untilMs) + Math.max(...apart) + delayMs,
  }
}

/** The latest time that wall clocks showed. */
function latestWallMs(stretches: readonly Stretch[], fromMs: number, untilMs: number): number {
  const shownMs = between(stretches, fromMs, untilMs).map((stretch) => {
    return Math.min(untilMs, stretch.untilMs) + stretch.aheadMs
  })
  return Math.max(...shownMs)
}

/** By how much clocks were set forwards, setbacks not counted. */
function setForthMs(stretches: readonly Stretch[], fromMs: number, untilMs: number): number {
  const apart = between(stretches, fromMs, untilMs).map(({ aheadMs }) => aheadMs)
  return apart.reduce(
    (sum, aheadMs, i) => sum + Math.max(0, aheadMs - (apart[i - 1] ?? aheadMs)),
    0,
  )
}

function between(stretches: readonly Stretch[], fromMs: number, untilMs: number): Stretch[] {
  return stretches.filter((each) => each.untilMs >= fromMs && each.fromMs <= untilMs)
}

function named({ wish }: TimedSend): string {
  switch (wish.kind) {
    case 'level':
      return `level ${wish.level}`
    case 'delay':
      return `delay of ${wish.delayMs} ms`
    case 'at':
      return `time ${wish.aheadMs} ms ahead`
  }
}

function shown(timeMs: number): string {
  return `${(timeMs / 1_000).toFixed(3)} s`
}
