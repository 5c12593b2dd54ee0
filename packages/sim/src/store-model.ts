/**
 * What a store must hold, kept beside it by who feeds it: every message with its bytes and its
 * place, what was acknowledged or shown, and which topics were deleted. Owns all of it. It knows
 * nothing of how a store works.
 */
import { isQueued, recordBytes, writeRecord } from '@rockhopper/protocol'
import type { MessageToStore } from '@rockhopper/store'

/** A message as it must be found again. */
export interface Kept {
  readonly topic: string
  readonly queueId: number
  readonly isQueued: boolean
  readonly queueOffset: number
  readonly logOffset: number
  /** Log offset behind it. */
  readonly endOffset: number
  readonly storeTimestamp: number
  readonly tagsCode: number
  /** The whole record. */
  readonly bytes: Buffer
}

/** The messages of a queue from its making to its deletion. */
export interface Generation {
  readonly messages: Kept[]
  /**
   * Offset of the first message that is there: 0, unless a deletion that was cut short has left only
   * a part. A loss of power may still bring the rest back.
   */
  startOffset: number
  /** The deletion has begun; until it is durable a crash may undo it. */
  isDeleted: boolean
}

export interface QueueModel {
  readonly topic: string
  readonly queueId: number
  /** Oldest first; the last one is that in use. */
  generations: Generation[]
}

/** How far what a store gave its word for reaches, as log offsets. */
export interface Floors {
  /** Survives the death of the process. */
  readonly written: number
  /** Survives the loss of power. */
  readonly flushed: number
}

export interface Place {
  readonly queueOffset: number
  readonly logOffset: number
  readonly storeTimestamp: number
}

export class StoreModel {
  /** All messages that the log has or may have, in its order. */
  messages: Kept[] = []
  readonly #queues = new Map<string, QueueModel>()
  readonly #byLogOffset = new Map<number, Kept>()
  #written = 0
  #flushed = 0
  #expired = 0

  /** What lies before this log offset was seen to be gone: it may come back, but need not. */
  get expiredOffset(): number {
    return this.#expired
  }

  /** The log was seen to begin here. */
  beganAt(minOffset: number): void {
    this.#expired = Math.max(this.#expired, minOffset)
  }

  get floors(): Floors {
    return { written: this.#written, flushed: this.#flushed }
  }

  /** Log offset behind the last message that was accepted. */
  get endOffset(): number {
    return this.messages.at(-1)?.endOffset ?? 0
  }

  queues(): IterableIterator<QueueModel> {
    return this.#queues.values()
  }

  queue(topic: string, queueId: number): QueueModel {
    const name = `${topic}/${queueId}`
    const known = this.#queues.get(name)
    if (known !== undefined) return known
    const made = { topic, queueId, generations: [newGeneration()] }
    this.#queues.set(name, made)
    return made
  }

  /** The offset that the next message of a queue must get. */
  nextOffset(topic: string, queueId: number): number {
    return endOf(currentOf(this.queue(topic, queueId)))
  }

  /** The message that begins at a log offset. */
  at(logOffset: number): Kept | undefined {
    return this.#byLogOffset.get(logOffset)
  }

  appended(message: MessageToStore, place: Place): Kept {
    const bytes = bytesOf(message, place)
    const kept: Kept = {
      topic: message.topic,
      queueId: message.queueId,
      isQueued: isQueued(message.sysFlag),
      queueOffset: place.queueOffset,
      logOffset: place.logOffset,
      endOffset: place.logOffset + bytes.length,
      storeTimestamp: place.storeTimestamp,
      tagsCode: message.tagsCode,
      bytes,
    }
    this.messages.push(kept)
    this.#byLogOffset.set(kept.logOffset, kept)
    if (kept.isQueued) currentOf(this.queue(kept.topic, kept.queueId)).messages.push(kept)
    return kept
  }

  /** Somebody was told, or saw, that the store has everything up to here. */
  gaveWord(endOffset: number, level: 'written' | 'flushed'): void {
    this.#written = Math.max(this.#written, endOffset)
    if (level === 'flushed') this.#flushed = Math.max(this.#flushed, endOffset)
  }

  /** Begins the deletion of a topic; returns what is to be called when it is durable. */
  deleteTopic(topic: string): () => void {
    const deleted: Generation[] = []
    for (const queue of this.#queues.values()) {
      if (queue.topic !== topic) continue
      for (const generation of queue.generations) {
        generation.isDeleted = true
        deleted.push(generation)
      }
      queue.generations.push(newGeneration())
    }
    return () => {
      for (const queue of this.#queues.values()) {
        queue.generations = queue.generations.filter((each) => !deleted.includes(each))
      }
    }
  }

  /** What was only written is gone, or may be. */
  lostPower(): void {
    this.#written = Math.min(this.#written, this.#flushed)
  }

  /** The store was opened and its log ends here: what it has not is forgotten, the rest is safe. */
  recovered(endOffset: number): void {
    for (const gone of this.messages.filter((each) => each.endOffset > endOffset)) {
      this.#byLogOffset.delete(gone.logOffset)
    }
    const isThere = (each: Kept): boolean => each.endOffset <= endOffset
    this.messages = this.messages.filter(isThere)
    for (const { generations } of this.#queues.values()) {
      for (const { messages } of generations) messages.splice(messages.filter(isThere).length)
    }
    this.#written = endOffset
    this.#flushed = endOffset
  }

  /** A queue whose deletion was cut short was found to hold its messages from an offset on. */
  cameBack(queue: QueueModel, generation: Generation, startOffset: number): void {
    generation.isDeleted = false
    generation.startOffset = startOffset
    queue.generations = [generation]
  }
}

/** The offset behind the last message. */
export function endOf({ messages, startOffset }: Generation): number {
  return (messages.at(-1)?.queueOffset ?? startOffset - 1) + 1
}

/** The messages that a queue must have of a log that begins at an offset. */
export function visibleIn({ messages, startOffset }: Generation, logMin: number): Kept[] {
  return messages.filter((each) => each.logOffset >= logMin && each.queueOffset >= startOffset)
}

/** The generation that new messages go to. */
export function currentOf(queue: QueueModel): Generation {
  const last = queue.generations.at(-1)
  if (last === undefined) throw new RangeError('a queue has at least one generation')
  return last
}

function newGeneration(): Generation {
  return { messages: [], startOffset: 0, isDeleted: false }
}

function bytesOf(message: MessageToStore, place: Place): Buffer {
  const content = { ...message, topic: Buffer.from(message.topic) }
  const bytes = Buffer.alloc(recordBytes(content))
  writeRecord(bytes, 0, bytes.length, content, place)
  return bytes
}
