/**
 * The frame of every simulation: a world from a seed, what happened in it as a story tells it, and the
 * promises that were found broken. Owns the lists of both, and the world.
 */
import { createWorld, type SimWorld } from './world.ts'

/** A broken promise. */
export interface Finding {
  readonly rule: string
  /** What was seen, as a sentence. */
  readonly sentence: string
}

/** Something that happened, as the story tells it. */
export interface Incident {
  readonly atMs: number
  readonly sentence: string
}

/** What is told of each run, of whatever kind. */
export interface RunReport {
  readonly seed: number
  /** What the seed has chosen, as a sentence. */
  readonly setting: string
  /** The hash of everything that happened. */
  readonly trace: string
  readonly eventCount: number
  /** Virtual time that passed. */
  readonly durationMs: number
  readonly incidents: readonly Incident[]
  /** Every promise that was broken; empty when all is well. */
  readonly findings: readonly Finding[]
}

const LOOK_MS = 1_000

export class SimRun {
  readonly world: SimWorld
  readonly findings: Finding[] = []
  readonly #incidents: Incident[] = []

  constructor(seed: number) {
    this.world = createWorld(seed)
  }

  /** Plays a course of events to its end. Never rejects: what goes wrong is a finding. */
  async play(course: () => Promise<void>): Promise<void> {
    try {
      await course()
    } catch (error) {
      this.find('nothing fails for a reason nobody foresaw', sentenceOf(error))
    }
  }

  /** Lets something run beside the course; what it rejects with breaks a rule. */
  launch(running: Promise<void>, rule = 'a client throws only what it says it throws'): void {
    running.catch((error: unknown) => this.find(rule, sentenceOf(error)))
  }

  /** Tells the story what happened. */
  tell(sentence: string): void {
    this.#incidents.push({ atMs: this.world.clock.monotonicMs(), sentence })
  }

  /** Notes a broken promise. */
  find(rule: string, sentence: string): void {
    this.findings.push({ rule, sentence })
  }

  /** Runs until nothing is amiss, as a look every second shows; too late is a finding. */
  async expect(
    rule: string,
    limitMs: number,
    amiss: () => string | undefined | Promise<string | undefined>,
  ): Promise<void> {
    const { clock } = this.world
    const endMs = clock.monotonicMs() + limitMs
    for (;;) {
      const reason = await amiss()
      if (reason === undefined) return
      if (clock.monotonicMs() >= endMs) {
        this.find(rule, `${limitMs / 1_000} s after the last fault: ${reason}`)
        return
      }
      await clock.advance(LOOK_MS)
    }
  }

  report(setting: string): RunReport {
    return {
      ...{ seed: this.world.seed, setting },
      trace: this.world.trace(),
      eventCount: this.world.eventCount,
      durationMs: this.world.clock.monotonicMs(),
      incidents: this.#told(),
      findings: this.findings,
    }
  }

  /** What happened, and what processes thought a person should act on. */
  #told(): Incident[] {
    const alarms = this.world.lines
      .filter(({ level }) => level === 'error')
      .map(({ atMs, host, sentence }) => ({ atMs, sentence: `${host} says: ${sentence}` }))
    return [...this.#incidents, ...alarms].sort((one, other) => one.atMs - other.atMs)
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
