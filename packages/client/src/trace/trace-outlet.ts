/**
 * Sends traces over the connections of the client that they are about, past its hooks and its room.
 * Owns the way to the trace topic.
 */
import type { Host } from '@rockhopper/host'
import type { UniqueKeys } from '@rockhopper/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import { UNCOMPRESSED } from '../produce/draft.ts'
import type { Message } from '../produce/message.ts'
import { Parcels } from '../produce/parcel.ts'
import { PublishTable, USUAL_NEW_TOPICS } from '../produce/publish-table.ts'
import { Room } from '../produce/room.ts'
import { Sender } from '../produce/sender.ts'

/** Source: Apache AsyncTraceDispatcher. */
const SEND_TIMEOUT_MS = 5_000
const RETRIES = 2

const MAX_TRACE_BYTES = 1024 * 1024

export interface TraceOutletParts {
  readonly host: Host
  readonly cluster: Cluster
  readonly keys: UniqueKeys
  /** Name of the producer, for the brokers. */
  readonly group: string
}

export class TraceOutlet {
  readonly #host: Host
  readonly #parcels: Parcels
  readonly #publish: PublishTable
  readonly #sender: Sender

  constructor({ host, cluster, keys, group }: TraceOutletParts) {
    const { clock } = host
    this.#host = host
    this.#publish = new PublishTable(cluster, host.random, USUAL_NEW_TOPICS)
    this.#parcels = new Parcels({
      ...{ clock, keys, group, ...USUAL_NEW_TOPICS },
      rules: { ...UNCOMPRESSED, maxMessageBytes: MAX_TRACE_BYTES },
    })
    this.#sender = new Sender({
      clock,
      publish: this.#publish,
      // Nothing enters it: how much is on its way is bounded by who sends here.
      room: new Room(clock, { maxCount: 1, maxBytes: 1 }),
      retries: RETRIES,
      attemptTimeoutMs: SEND_TIMEOUT_MS,
      retryLessSafe: false,
      faults: undefined,
      onRetry: () => undefined,
      gate: undefined,
    })
  }

  /** Rejects with `ClientError`. */
  async send(message: Message): Promise<void> {
    await this.#sender.deliver({
      parcel: this.#parcels.of(message),
      startMs: this.#host.clock.monotonicMs(),
      timeoutMs: SEND_TIMEOUT_MS,
      destination: undefined,
      signal: undefined,
      holdsRoom: false,
    })
  }

  /** The route of a topic in use is another one now. */
  followRoute(topic: string): void {
    this.#publish.renew(topic)
  }
}
