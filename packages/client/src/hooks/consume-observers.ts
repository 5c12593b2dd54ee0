/**
 * All that looks at what a consumer gets: its hooks, the message trace and the sequence audit.
 * Builds what the options ask for, and closes it.
 */
import { isRetryTopic, type MessageQueue } from '@rockhopper/protocol'
import { type AuditRow, type AuditTotals, SequenceAudit } from '../audit/sequence-audit.ts'
import { newUniqueKeys } from '../client-id.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ConsumerConfig } from '../config.ts'
import type { ConsumerEvents } from '../handle/consumer-events.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { consumerTrace } from '../trace/consumer-trace.ts'
import { TraceLog } from '../trace/trace-log.ts'
import { TraceOutlet } from '../trace/trace-outlet.ts'
import { ConsumeWatch } from './consume-watch.ts'

/** Rows of the audit that operators are told of. */
const MAX_TOLD_ROWS = 100

/** What is asked for. */
export type ObservedConsumer = Pick<
  ConsumerConfig,
  'group' | 'host' | 'hooks' | 'messageTrace' | 'traceTopic' | 'sequenceAudit'
>

/** What of it is told to those who listen. */
export type ObserverEvents = Pick<ConsumerEvents, 'hookFailed' | 'lost' | 'repeated'>

export interface ConsumeObserverParts {
  readonly config: ObservedConsumer
  readonly cluster: Cluster
  /** Time after which a handler has taken too long, in ms. */
  readonly timeoutMs: number
  readonly emit: <E extends keyof ObserverEvents>(event: E, ...told: ObserverEvents[E]) => void
  /** Whether all messages of a topic are asked for: of others it cannot be told what is missing. */
  readonly isWhole: (topic: string) => boolean
}

/** What the sequence audit knows. */
export interface AuditReport {
  readonly totals: AuditTotals
  readonly rows: readonly AuditRow[]
}

export class ConsumeObservers {
  readonly watch: ConsumeWatch
  readonly #parts: ConsumeObserverParts
  readonly #outlet: TraceOutlet | undefined
  readonly #traces: TraceLog | undefined
  readonly #audit: SequenceAudit | undefined
  /** Topics that are known not to be audited. */
  readonly #unaudited = new Set<string>()

  constructor(parts: ConsumeObserverParts) {
    this.#parts = parts
    const { config, cluster, timeoutMs } = parts
    const { host, group, messageTrace, traceTopic } = config
    const hooks = [...config.hooks]
    if (messageTrace) {
      const traceGroup = `_INNER_TRACE_PRODUCER-${group}-CONSUME-1`
      const keys = newUniqueKeys(host)
      const outlet = new TraceOutlet({ host, cluster, keys, group: traceGroup })
      this.#outlet = outlet
      this.#traces = new TraceLog({ ...host, traceTopic, send: (message) => outlet.send(message) })
      hooks.push(consumerTrace(this.#traces, traceTopic, keys))
    }
    this.watch = new ConsumeWatch({
      ...{ clock: host.clock, group, hooks, timeoutMs },
      onHookFailed: (failure) => parts.emit('hookFailed', failure),
    })
    if (!config.sequenceAudit) return
    this.#audit = new SequenceAudit({
      onLost: (loss) => {
        host.logger.error('Messages that a broker has acknowledged are missing in their queue.', {
          ...loss,
        })
        parts.emit('lost', loss)
      },
      onRepeated: (repeat) => parts.emit('repeated', repeat),
    })
  }

  /** Records of the message trace that did not reach the trace topic. */
  get lostTraces(): number {
    return this.#traces?.lost ?? 0
  }

  /** Undefined without a sequence audit. */
  get report(): AuditReport | undefined {
    const audit = this.#audit
    return audit && { totals: audit.totals, rows: audit.rows }
  }

  /** The same for operators, as names and values: who misses something comes first. */
  get told(): Readonly<Record<string, string>> {
    if (this.#audit === undefined) return {}
    const { audited, unstamped, lost, repeated } = this.#audit.totals
    const total = `audited=${audited} lost=${lost} repeated=${repeated} unstamped=${unstamped}`
    const rows = [...this.#audit.rows].sort((a, b) => weightOf(b) - weightOf(a))
    const lines = rows.slice(0, MAX_TOLD_ROWS).map((row) => [nameOf(row), textOf(row)] as const)
    return { sequenceAudit: total, ...Object.fromEntries(lines) }
  }

  /** A queue is read from this offset on. */
  begin(queue: MessageQueue, startOffset: number): void {
    if (this.#isAudited(queue.topic)) this.#audit?.begin(queue, startOffset)
  }

  /** The next messages of a queue, before they are handled. */
  see({ topic }: MessageQueue, entries: readonly { readonly message: ReceivedMessage }[]): void {
    if (this.#audit === undefined || !this.#isAudited(topic)) return
    for (const { message } of entries) this.#audit.see(message)
  }

  /** The route of a topic in use is another one now. */
  followRoute(topic: string): void {
    this.#outlet?.followRoute(topic)
  }

  /** Sends the traces that wait; to be called when nothing is handled any more. */
  async close(): Promise<void> {
    await this.#traces?.close()
  }

  #isAudited(topic: string): boolean {
    if (this.#audit === undefined || isRetryTopic(topic)) return false
    if (this.#parts.isWhole(topic)) {
      this.#unaudited.delete(topic)
      return true
    }
    if (!this.#unaudited.has(topic)) {
      this.#unaudited.add(topic)
      this.#audit.forget(topic)
      const sentence =
        'A topic is not audited, as not all of its messages are asked for: subscribe to "*".'
      this.#parts.config.host.logger.warn(sentence, { topic })
    }
    return false
  }
}

function weightOf({ lost, repeated, awaited }: AuditRow): number {
  return lost * 4 + repeated * 2 + awaited
}

function nameOf({ queue, producerId }: AuditRow): string {
  return `sequenceAudit ${queue.topic} ${queue.brokerName} ${queue.queueId} ${producerId}`
}

function textOf(row: AuditRow): string {
  const { audited, lost, repeated, awaited, lastSequence, lastOffset } = row
  return (
    `audited=${audited} lost=${lost} repeated=${repeated} awaited=${awaited} ` +
    `lastSequence=${lastSequence} lastOffset=${lastOffset}`
  )
}
