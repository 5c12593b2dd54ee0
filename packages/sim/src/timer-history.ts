/**
 * What happened in a life of delayed messages: which were sent and called off, when each was seen, when
 * the broker was there, and how wall clocks were set. Owns these lists; it judges nothing, that is for
 * `timer-checker.ts`. Times are the world's monotonic ones, in ms, unless they say otherwise.
 */
import type { DelayWish } from './timer-plan.ts'

export interface TimedSend {
  readonly body: string
  readonly wish: DelayWish
  readonly sentMs: number
  /** Wall time at which it is due, as its wish says, when it was sent. */
  readonly dueWallMs: number
  /** When the broker said that it has it; undefined when it did not. */
  storedMs: number | undefined
  /** When a producer asked to call it off; undefined when none did. */
  recallMs: number | undefined
  /** When the broker said that it is called off; undefined when it did not. */
  recalledMs: number | undefined
  /** When it was first seen; undefined while it was not. */
  seenMs: number | undefined
}

/** A message as it lies in the topic at the end. */
export interface DeliveredCopy {
  readonly body: string
  readonly queueOffset: number
  /** Wall time of the broker. */
  readonly storeTimestamp: number
}

/** A stretch of time in which the broker was there, or was not, and no clock was set. */
export interface Stretch {
  readonly fromMs: number
  /** Infinite for the last one. */
  readonly untilMs: number
  readonly isUp: boolean
  /** How far wall time is ahead of monotonic time. */
  readonly aheadMs: number
}

export class TimerHistory {
  readonly sends: TimedSend[] = []
  /** When power was lost. */
  readonly powerLosses: number[] = []
  readonly #nowMs: () => number
  readonly #note: (what: string) => void
  readonly #byBody = new Map<string, TimedSend>()
  readonly #stretches: Stretch[]

  constructor(nowMs: () => number, aheadMs: number, note: (what: string) => void) {
    this.#nowMs = nowMs
    this.#note = note
    this.#stretches = [{ fromMs: 0, untilMs: Number.POSITIVE_INFINITY, isUp: false, aheadMs }]
  }

  /** In the order of time, without gaps. */
  get stretches(): readonly Stretch[] {
    return this.#stretches
  }

  send(body: string, wish: DelayWish, dueWallMs: number): TimedSend {
    const unknown = { storedMs: undefined, recallMs: undefined, recalledMs: undefined }
    const sent = { ...unknown, body, wish, dueWallMs, sentMs: this.#nowMs(), seenMs: undefined }
    this.sends.push(sent)
    this.#byBody.set(body, sent)
    this.#note(`send ${body} ${dueWallMs}`)
    return sent
  }

  stored(sent: TimedSend): void {
    sent.storedMs = this.#nowMs()
    this.#note(`stored ${sent.body}`)
  }

  recall(sent: TimedSend): void {
    sent.recallMs = this.#nowMs()
  }

  recalled(sent: TimedSend): void {
    sent.recalledMs = this.#nowMs()
    this.#note(`recalled ${sent.body}`)
  }

  seen(body: string): void {
    const sent = this.#byBody.get(body)
    if (sent === undefined || sent.seenMs !== undefined) return
    sent.seenMs = this.#nowMs()
    this.#note(`seen ${body}`)
  }

  clockWasSet(byMs: number): void {
    this.#cut(({ aheadMs, isUp }) => ({ isUp, aheadMs: aheadMs + byMs }))
  }

  brokerIsUp(isUp: boolean): void {
    this.#cut(({ aheadMs }) => ({ isUp, aheadMs }))
  }

  powerWasLost(): void {
    this.powerLosses.push(this.#nowMs())
  }

  #cut(change: (last: Stretch) => Pick<Stretch, 'isUp' | 'aheadMs'>): void {
    const last = this.#stretches.pop()
    if (last === undefined) return
    const fromMs = this.#nowMs()
    this.#stretches.push({ ...last, untilMs: fromMs })
    this.#stretches.push({ ...change(last), fromMs, untilMs: Number.POSITIVE_INFINITY })
  }
}
