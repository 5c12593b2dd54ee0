/**
 * Sends that come close together share a request, without anybody asking for it. What is alone goes
 * at once: only while a request of the same kind is on its way do others gather for the next, so
 * that thin traffic waits for nothing and dense traffic makes few requests. Source: Apache class
 * ProduceAccumulator, which holds every message for its hold time; `client.md` section 3.9.
 * Owns the sends that gather, and who shares a request with whom.
 */
import type { Clock, Timer } from '@rockhopper/host'
import { type MessageQueue, responseCode } from '@rockhopper/protocol'
import { ClientError } from '../errors.ts'
import { queueKey } from '../message-queue.ts'
import type { SendResult } from './message.ts'
import { entryBytes, joined } from './parcel.ts'
import type { PublishTable } from './publish-table.ts'
import type { Room } from './room.ts'
import type { Destination, Order, Sender } from './sender.ts'

/** Bytes that gather over all lanes; a send beyond them goes by itself (Apache: totalHoldSize). */
const MAX_HELD_BYTES = 32 * 1024 * 1024

/**
 * A request has the time of its oldest member. Sends that waited for room share one only with those
 * that waited as long, to this share of their time.
 */
const STEPS_OF_AGE = 16

/**
 * Answers that say that nothing was stored because of what the request holds: each message is then
 * sent by itself, so that only the one to blame fails.
 */
const REFUSED_FOR_ITS_CONTENT: ReadonlySet<number> = new Set([
  responseCode.MESSAGE_ILLEGAL,
  responseCode.REQUEST_CODE_NOT_SUPPORTED,
])

export interface AutoBatchParts {
  readonly clock: Clock
  readonly publish: PublishTable
  readonly sender: Sender
  /** Given back what a send took when that is over. */
  readonly room: Room
  /** Bytes at which a batch goes although another is on its way. */
  readonly maxBytes: number
  /** Time after which it goes so, in ms. */
  readonly holdMs: number
}

/** A send whose caller waits. */
interface Member {
  readonly order: Order
  readonly resolve: (result: SendResult) => void
  readonly reject: (error: unknown) => void
}

/** Sends that may share a request. */
interface Lane {
  readonly key: string
  readonly queue: MessageQueue | undefined
  members: Member[]
  bytes: number
  /** Requests on their way. */
  inFlight: number
  /** Whether the end of the present turn is awaited. */
  isPlanned: boolean
  /** Runs while members wait behind a request. */
  timer: Timer | undefined
}

export class AutoBatch {
  readonly #parts: AutoBatchParts
  readonly #lanes = new Map<string, Lane>()
  #heldBytes = 0

  constructor(parts: AutoBatchParts) {
    this.#parts = parts
  }

  /** Delivers an order that has taken its room, with others or by itself. */
  deliver(order: Order): Promise<SendResult> {
    const { publish, sender, room, maxBytes } = this.#parts
    const { parcel, destination } = order
    const bytes = entryBytes(parcel)
    const entry = destination === undefined ? undefined : publish.get(parcel.topic)
    const isUndecided = destination !== undefined && entry === undefined
    const fits = bytes <= maxBytes && this.#heldBytes + bytes <= MAX_HELD_BYTES
    if (!parcel.canJoin || isUndecided || !fits) return sender.deliver(order)
    let queue: MessageQueue | undefined
    try {
      queue = entry && destination?.(entry)
    } catch (error) {
      room.leave(parcel.sizeBytes)
      return Promise.reject(error)
    }
    const lane = this.#laneOf(order, queue)
    return new Promise((resolve, reject) => {
      this.#add(lane, { order, resolve, reject }, bytes)
    })
  }

  #laneOf({ parcel, startMs, timeoutMs }: Order, queue: MessageQueue | undefined): Lane {
    const { topic, waitStored } = parcel
    const place = queue === undefined ? topic : queueKey(queue)
    const spentMs = this.#parts.clock.monotonicMs() - startMs
    const age = Math.floor((spentMs / timeoutMs) * STEPS_OF_AGE)
    const key = `${place} ${waitStored} ${timeoutMs} ${age}`
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      const rest = { bytes: 0, inFlight: 0, isPlanned: false, timer: undefined }
      lane = { key, queue, members: [], ...rest }
      this.#lanes.set(key, lane)
    }
    return lane
  }

  #add(lane: Lane, member: Member, bytes: number): void {
    const { clock, maxBytes, holdMs } = this.#parts
    if (lane.bytes + bytes > maxBytes) this.#launch(lane)
    lane.members.push(member)
    lane.bytes += bytes
    this.#heldBytes += bytes
    if (lane.bytes === maxBytes) this.#launch(lane)
    else if (lane.inFlight === 0) this.#plan(lane)
    else lane.timer ??= clock.after(holdMs, () => this.#launch(lane))
  }

  /** Lets those join that are sent in the same turn, then launches what there is. */
  #plan(lane: Lane): void {
    if (lane.isPlanned) return
    lane.isPlanned = true
    queueMicrotask(() => {
      lane.isPlanned = false
      if (lane.inFlight > 0) return
      if (lane.members.length > 0) this.#launch(lane)
      else this.#lanes.delete(lane.key)
    })
  }

  #launch(lane: Lane): void {
    const members = this.#take(lane)
    const [first] = members
    if (first === undefined) {
      this.#plan(lane)
      return
    }
    lane.inFlight++
    this.#carry(lane, first, members).finally(() => {
      lane.inFlight--
      this.#plan(lane)
    })
  }

  /** Those that gathered, without those that gave up meanwhile. */
  #take(lane: Lane): Member[] {
    const { members } = lane
    lane.timer?.cancel()
    lane.timer = undefined
    this.#heldBytes -= lane.bytes
    lane.members = []
    lane.bytes = 0
    const staying = members.filter(({ order }) => order.signal?.aborted !== true)
    if (staying.length < members.length) {
      this.#leave(members.filter(({ order }) => order.signal?.aborted === true))
    }
    return staying
  }

  async #carry({ queue }: Lane, first: Member, members: readonly Member[]): Promise<void> {
    const destination = queue === undefined ? undefined : (): MessageQueue => queue
    if (members.length === 1) return await this.#carryAlone(first, destination)
    try {
      const result = await this.#parts.sender.deliver({
        parcel: joined(members.map(({ order }) => order.parcel)),
        startMs: Math.min(...members.map(({ order }) => order.startMs)),
        timeoutMs: first.order.timeoutMs,
        destination,
        signal: undefined,
        holdsRoom: false,
      })
      const offsetIds = result.offsetMsgId.split(',')
      for (const [i, { order, resolve }] of members.entries()) {
        resolve(partOf(result, order, i, offsetIds))
      }
    } catch (error) {
      if (isRefusedForItsContent(error)) {
        await Promise.all(members.map((member) => this.#carryAlone(member, destination)))
        return
      }
      for (const { reject } of members) reject(error)
    }
    this.#leave(members)
  }

  /** The queue was picked when the send began: a selector is not asked again. */
  #carryAlone({ order, resolve, reject }: Member, destination?: Destination): Promise<void> {
    const decided = destination === undefined ? order : { ...order, destination }
    return this.#parts.sender.deliver(decided).then(resolve, reject)
  }

  #leave(members: readonly Member[]): void {
    let bytes = 0
    for (const { order } of members) bytes += order.parcel.sizeBytes
    this.#parts.room.leave(bytes, members.length)
  }
}

/** A batch is stored one message behind the other. */
function partOf(
  result: SendResult,
  { parcel }: Order,
  index: number,
  offsetIds: readonly string[],
): SendResult {
  return {
    ...result,
    msgId: parcel.msgId,
    offsetMsgId: offsetIds[index] ?? result.offsetMsgId,
    queueOffset: result.queueOffset + index,
  }
}

/** Only at the first attempt is it certain that nothing was stored. */
function isRefusedForItsContent(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.attempts > 1) return false
  return error.responseCode !== undefined && REFUSED_FOR_ITS_CONTENT.has(error.responseCode)
}
