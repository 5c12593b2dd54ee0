/**
 * All that takes the messages of a consumer: one consumption for handlers, and one for each topic
 * whose messages are taken by loops. Owns the streams.
 */

import type { Entry, OwnedQueue } from '../balance/owned-queue.ts'
import type { Consumption, Task } from './consumption.ts'
import type { MessageHandler } from './handlers.ts'
import { MessageStream, StreamSource } from './message-stream.ts'
import { type ConsumptionTerms, newConsumption } from './new-consumption.ts'

interface StreamedTopic {
  readonly source: StreamSource
  readonly consumption: Consumption
}

export class Listening {
  readonly #terms: ConsumptionTerms
  readonly #handlers: Consumption
  readonly #streams = new Map<string, StreamedTopic>()

  constructor(terms: ConsumptionTerms) {
    this.#terms = terms
    const { concurrency } = terms.config
    this.#handlers = newConsumption(terms, (running) => running < concurrency)
  }

  /** Takes new messages of a queue, in the order of their offsets. */
  submit(owned: OwnedQueue, entries: readonly Entry[]): void {
    if (this.#streams.size === 0) return this.#handlers.submit(owned, entries)
    for (let at = 0; at < entries.length; ) {
      const streamed = this.#streamOf(entries[at])
      let end = at + 1
      while (end < entries.length && this.#streamOf(entries[end]) === streamed) end++
      const consumption = streamed?.consumption ?? this.#handlers
      consumption.submit(owned, entries.slice(at, end))
      at = end
    }
  }

  /** A new stream over the messages of a topic; several share them. */
  stream(topic: string): MessageStream {
    return new MessageStream(this.#streamed(topic).source)
  }

  /** What stands in the place of the handler of a topic whose messages go to streams. */
  handlerOf(topic: string): MessageHandler {
    return this.#streamed(topic).source.handle
  }

  isStreamed(topic: string): boolean {
    return this.#streams.has(topic)
  }

  /** The messages of a topic go to a handler again, or to nobody. */
  endStreams(topic: string): void {
    const streamed = this.#streams.get(topic)
    this.#streams.delete(topic)
    streamed?.source.close()
    streamed?.consumption.stop()
  }

  /** Ends all loops as soon as they ask for the next message. */
  closeStreams(): void {
    for (const { source } of this.#streams.values()) source.close()
  }

  /** Calls of handlers, and messages in loops, that are not over. */
  running(): readonly Task[] {
    const consumptions = [...this.#streams.values()].map(({ consumption }) => consumption)
    return [this.#handlers, ...consumptions].flatMap((consumption) => consumption.running())
  }

  /** Gives up no more handlers and plans no more calls. */
  stop(): void {
    this.#handlers.stop()
    for (const { consumption } of this.#streams.values()) consumption.stop()
  }

  #streamOf(entry: Entry | undefined): StreamedTopic | undefined {
    return this.#streams.get(entry?.message.topic ?? '')
  }

  #streamed(topic: string): StreamedTopic {
    const known = this.#streams.get(topic)
    if (known !== undefined) return known
    const source = new StreamSource(() => consumption.pump())
    const handlingOf = (): { kind: 'each'; handle: MessageHandler } => ({
      kind: 'each',
      handle: source.handle,
    })
    const consumption = newConsumption({ ...this.#terms, handlingOf }, () => source.isWanted)
    const streamed = { source, consumption }
    this.#streams.set(topic, streamed)
    return streamed
  }
}
