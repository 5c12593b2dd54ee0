/**
 * All that looks at what a producer sends: its hooks, the gate of each attempt, the message trace and the
 * sequence audit. Builds what the options ask for, and closes it.
 */
import type { UniqueKeys } from '@rockhopper/protocol'
import { SequenceStamps } from '../audit/sequence-stamps.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ProducerConfig } from '../config.ts'
import { producerTrace } from '../trace/producer-trace.ts'
import { TraceLog } from '../trace/trace-log.ts'
import { TraceOutlet } from '../trace/trace-outlet.ts'
import type { HookFailure } from './hook.ts'
import { SendGate } from './send-gate.ts'
import { SendWatch } from './send-watch.ts'

export interface SendObserverParts {
  readonly config: ProducerConfig
  readonly cluster: Cluster
  readonly keys: UniqueKeys
  readonly onHookFailed: (failure: HookFailure) => void
}

export class SendObservers {
  readonly watch: SendWatch
  /** Undefined when no attempt needs to be looked at. */
  readonly gate: SendGate | undefined
  readonly #outlet: TraceOutlet | undefined
  readonly #traces: TraceLog | undefined

  constructor({ config, cluster, keys, onHookFailed }: SendObserverParts) {
    const { host, group, messageTrace, traceTopic, sequenceAudit, maxMessageBytes } = config
    const hooks = [...config.hooks]
    if (messageTrace) {
      const traceGroup = `_INNER_TRACE_PRODUCER-${group}-PRODUCE-1`
      const outlet = new TraceOutlet({ host, cluster, keys, group: traceGroup })
      this.#outlet = outlet
      this.#traces = new TraceLog({ ...host, traceTopic, send: (message) => outlet.send(message) })
      hooks.push(producerTrace(this.#traces, traceTopic))
    }
    this.watch = new SendWatch({
      clock: host.clock,
      ...{ group, hooks, onHookFailed },
      addressOf: (brokerName) => cluster.link(brokerName).address,
    })
    const forbidding = hooks.filter(({ checkForbidden }) => checkForbidden !== undefined)
    const stamps = sequenceAudit ? new SequenceStamps(host.random, maxMessageBytes) : undefined
    if (forbidding.length > 0 || stamps !== undefined) {
      this.gate = new SendGate({ group, hooks: forbidding, stamps })
    }
  }

  /** Records of the message trace that did not reach the trace topic. */
  get lostTraces(): number {
    return this.#traces?.lost ?? 0
  }

  /** The route of a topic in use is another one now. */
  followRoute(topic: string): void {
    this.#outlet?.followRoute(topic)
  }

  /** Sends the traces that wait; to be called when nothing is sent any more. */
  async close(): Promise<void> {
    await this.#traces?.close()
  }
}
