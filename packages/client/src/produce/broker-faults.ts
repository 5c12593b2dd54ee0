/**
 * Which brokers to keep away from for a while, because they were slow or failed. Source: Apache
 * classes MQFaultStrategy and LatencyFaultToleranceImpl; `client.md` section 3.2. Owns what is known
 * of each broker that is not simply well.
 */
import { type Clock, every, type Logger, type Loop } from '@rockhopper/host'

/** From this latency on (ms) a broker is kept away from for so long (ms). Source: as above. */
const AWAY: readonly (readonly [latencyMs: number, awayMs: number])[] = [
  [15_000, 30_000],
  [5000, 10_000],
  [3000, 6000],
  [1800, 5000],
  [550, 2000],
]

/** A broker that failed is taken for one that needed so long, in ms. */
const FAILED_AS_MS = 10_000

const PROBE_ROUND_MS = 3000
/** After a probe the broker is left alone for so long, in ms. */
const PROBE_AGAIN_MS = 2000

/**
 * How an attempt ended: with an answer that says nothing against the broker, with one that it can
 * take no message at present, or without one.
 */
export type AttemptEnd = 'answered' | 'refused' | 'unanswered'

/** What a probe found: `gone` when no route names the broker any more. */
export type ProbeResult = 'alive' | 'silent' | 'gone'

interface Fault {
  /** Monotonic time until which the broker is avoided, in ms. */
  awayUntilMs: number
  isReachable: boolean
  probeFromMs: number
}

export interface BrokerFaultsParts {
  readonly clock: Clock
  readonly logger: Logger
  /** Asks a broker for a sign of life; undefined: only sends tell. */
  readonly probe: ((brokerName: string) => Promise<ProbeResult>) | undefined
}

export class BrokerFaults {
  readonly #parts: BrokerFaultsParts
  readonly #faults = new Map<string, Fault>()
  #loop: Loop | undefined

  constructor(parts: BrokerFaultsParts) {
    this.#parts = parts
  }

  /** Begins to probe brokers that did not answer, every 3 s. */
  start(): void {
    const { clock, logger, probe } = this.#parts
    if (probe === undefined) return
    this.#loop = every(
      clock,
      PROBE_ROUND_MS,
      () => this.#probeAll(probe),
      (error) => logger.error('The brokers could not be probed.', { error }),
    )
  }

  async stop(): Promise<void> {
    await this.#loop?.stop()
  }

  /** Whether every broker is well. */
  get isEmpty(): boolean {
    return this.#faults.size === 0
  }

  /**
   * Whether a broker need not be avoided at present. Where brokers are probed, one that is not there
   * is avoided until a probe finds it; Apache's producers try it again after its time.
   */
  isAvailable(brokerName: string): boolean {
    const fault = this.#faults.get(brokerName)
    if (fault === undefined) return true
    if (!fault.isReachable && this.#parts.probe !== undefined) return false
    return this.#parts.clock.monotonicMs() >= fault.awayUntilMs
  }

  /** Whether a broker, though it may be slow, is there. */
  isReachable(brokerName: string): boolean {
    return this.#faults.get(brokerName)?.isReachable ?? true
  }

  /** Learns of an attempt that took so long. What it says makes an avoidance longer, never shorter. */
  note(brokerName: string, latencyMs: number, end: AttemptEnd): void {
    const awayMs = awayFor(end === 'answered' ? latencyMs : FAILED_AS_MS)
    const known = this.#faults.get(brokerName)
    if (known === undefined && awayMs === 0) return
    const nowMs = this.#parts.clock.monotonicMs()
    const awayUntilMs = Math.max(known?.awayUntilMs ?? 0, nowMs + awayMs)
    // Without a probe nobody else would find that a broker is there again.
    const isReachable =
      end === 'answered' || (end === 'unanswered' && this.#parts.probe === undefined)
    if (isReachable && awayUntilMs <= nowMs) this.#faults.delete(brokerName)
    else {
      const probeFromMs = known?.probeFromMs ?? nowMs
      this.#faults.set(brokerName, { awayUntilMs, isReachable, probeFromMs })
    }
  }

  async #probeAll(probe: (brokerName: string) => Promise<ProbeResult>): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs()
    const due = [...this.#faults].filter(([, fault]) => {
      return !fault.isReachable && nowMs >= fault.probeFromMs
    })
    await Promise.all(
      due.map(async ([brokerName, fault]) => {
        fault.probeFromMs = nowMs + PROBE_AGAIN_MS
        const found = await probe(brokerName)
        if (found === 'gone') this.#faults.delete(brokerName)
        const known = this.#faults.get(brokerName)
        if (found === 'alive' && known !== undefined) known.isReachable = true
      }),
    )
  }
}

function awayFor(latencyMs: number): number {
  return AWAY.find(([fromMs]) => latencyMs >= fromMs)?.[1] ?? 0
}
