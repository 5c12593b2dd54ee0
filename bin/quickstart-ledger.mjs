/**
 * The messages of the quickstart and the book kept of them: what was sent is a function of its
 * number, so that the receiving process can tell by itself what is missing, twice, changed or out of
 * order. A body is its number, words that follow from it, and a checksum:
 *
 *   0 number u32    4 … 124 xorshift words u32    124 CRC-32 of the bytes before
 */
import { crc32 } from 'node:zlib'

const BODY_BYTES = 128
const CHECKSUM_AT = BODY_BYTES - 4
const TAGS = 5

/**
 * The message with this number.
 * @param {string} topic
 * @param {number} number
 */
export function messageOf(topic, number) {
  return { topic, body: bodyOf(number), tag: `tag-${number % TAGS}`, keys: `key-${number}` }
}

/** @param {number} number */
function bodyOf(number) {
  const body = Buffer.allocUnsafe(BODY_BYTES)
  body.writeUInt32BE(number, 0)
  let word = number + 1
  for (let at = 4; at < CHECKSUM_AT; at += 4) {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    body.writeInt32BE(word, at)
  }
  body.writeUInt32BE(crc32(body.subarray(0, CHECKSUM_AT)), CHECKSUM_AT)
  return body
}

/**
 * A delivery, as far as the book is concerned.
 * @typedef {{
 *   topic: string,
 *   body: Buffer,
 *   tag: string | undefined,
 *   keys: readonly string[],
 *   queue: { brokerName: string, queueId: number },
 *   queueOffset: number,
 * }} Delivery
 *
 * @typedef {{
 *   received: number,
 *   lost: number,
 *   duplicated: number,
 *   outOfOrder: number,
 *   changed: number,
 * }} Verdict
 */

export class Ledger {
  /** Deliveries of each number. */
  #deliveries
  /** Offset and number of the last delivery of each queue. @type {Map<string, [number, number]>} */
  #last = new Map()
  #received = 0
  #duplicated = 0
  #outOfOrder = 0
  #changed = 0

  /** @param {number} count */
  constructor(count) {
    this.#deliveries = new Uint8Array(count)
  }

  /** Different messages that came unchanged. */
  get received() {
    return this.#received
  }

  /** @param {Delivery} delivery */
  enter(delivery) {
    const number = numberOf(delivery)
    if (number === undefined || number >= this.#deliveries.length) {
      this.#changed++
      return
    }
    const before = this.#deliveries[number] ?? 0
    if (before === 0) this.#received++
    else this.#duplicated++
    this.#deliveries[number] = Math.min(before + 1, 255)
    if (before === 0) this.#checkOrder(delivery, number)
  }

  /** @returns {Verdict} */
  verdict() {
    return {
      received: this.#received,
      lost: this.#deliveries.length - this.#received,
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder,
      changed: this.#changed,
    }
  }

  /**
   * In a queue each message stands right behind the one before, and was sent after it.
   * @param {Delivery} delivery
   * @param {number} number
   */
  #checkOrder({ queue, queueOffset }, number) {
    const key = `${queue.brokerName}/${queue.queueId}`
    const [lastOffset, lastNumber] = this.#last.get(key) ?? [-1, -1]
    if (queueOffset !== lastOffset + 1 || number < lastNumber) this.#outOfOrder++
    this.#last.set(key, [queueOffset, number])
  }
}

/**
 * The number of a message that is just as it was sent; undefined when anything of it is not.
 * @param {Delivery} delivery
 */
function numberOf({ topic, body, tag, keys }) {
  if (body.length !== BODY_BYTES) return undefined
  const number = body.readUInt32BE(0)
  const sent = messageOf(topic, number)
  const same = sent.body.equals(body) && sent.tag === tag && keys.length === 1
  return same && keys[0] === sent.keys ? number : undefined
}
