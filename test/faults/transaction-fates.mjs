/**
 * What becomes of each transaction of a storm, and who says so when: told by its number alone, so that
 * the producer that began it, one that comes after it, and the judge say the same. Owns nothing.
 */
import { crc32 } from 'node:zlib'

/** So long a broker of a storm waits before it asks, in ms. */
export const FIRST_CHECK_MS = 1_000

/** Local transactions take so long at the most, in ms, but for those that are late. */
const QUICK_MS = 40

/**
 * The word comes from the local transaction, from it when the broker has already asked, or only from
 * an answer to a question.
 * @typedef {'at once' | 'late' | 'when asked'} Manner
 */

/**
 * @typedef {object} TransactionFate
 * @property {'commit' | 'rollback'} end
 * @property {Manner} manner
 * @property {number} localMs how long the local transaction takes
 * @property {number} answeredCheck to which question the answer is known, from 1
 */

/**
 * @param {number} number
 * @returns {TransactionFate}
 */
export function fateOf(number) {
  const chance = crc32(`fate of ${number}`)
  const end = chance % 5 < 3 ? 'commit' : 'rollback'
  const turn = (chance >>> 8) % 20
  const part = ((chance >>> 16) % 256) / 256
  const manner = turn < 12 ? 'at once' : turn < 19 ? 'when asked' : 'late'
  const localMs = manner === 'late' ? FIRST_CHECK_MS * (1 + part) : QUICK_MS * part
  return { end, manner, localMs, answeredCheck: turn === 18 ? 3 : 1 }
}

/**
 * What a producer answers that is asked for the n-th time.
 * @param {number} number
 * @param {number} check
 * @returns {'commit' | 'rollback' | 'unknown'}
 */
export function answerTo(number, check) {
  const { answeredCheck, end } = fateOf(number)
  return check < answeredCheck ? 'unknown' : end
}

/**
 * @param {number} number
 * @returns {string}
 */
export function bodyOf(number) {
  return `transaction ${number}`
}

/**
 * The number that a body names; undefined when it is none of ours.
 * @param {string} body
 * @returns {number | undefined}
 */
export function numberOf(body) {
  const [, digits] = /^transaction (\d{1,15})$/.exec(body) ?? []
  return digits === undefined ? undefined : Number(digits)
}
