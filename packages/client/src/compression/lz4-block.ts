/**
 * Blocks of LZ4: runs of literals, each followed by a match with what came before.
 * Source: the LZ4 block format. Pure.
 *
 *   token u8: literals ≪ 4 | match − 4 · more of 15 literals u8… · literals · offset u16 · more u8…
 *
 * A block ends behind literals; the last five bytes are literals. Bytes are taken one by one where
 * a call for a few of them would cost more than they do.
 */

const LEAST_MATCH = 4
const LAST_LITERALS = 5
/** A match begins so many bytes before the end at the latest. */
const LAST_MATCH_FROM_END = 12
const MAX_OFFSET = 0xffff
const FULL = 15
const HASH_FACTOR = 0x9e3779b1 | 0
/** Places that are remembered: 4,096 for short blocks, 16,384 for those that are worth it. */
const HASH_BITS = 12
const LONG_HASH_BITS = 14
const LONG_FROM_BYTES = 64 * 1024
/** After so many places without a match, the search goes on in longer steps. */
const PATIENCE_BITS = 6
/** From this length on bytes are moved by one call. */
const LONG_RUN = 48

/** The most that a block of so many bytes can take. */
export function maxBlockBytes(sizeBytes: number): number {
  return sizeBytes + Math.ceil(sizeBytes / 255) + 16
}

/** Writes `source` as a block to the beginning of `target`, which has room; the end of the block. */
export function compressBlock(source: Buffer, target: Buffer): number {
  const words = new DataView(source.buffer, source.byteOffset, source.length)
  const bits = source.length < LONG_FROM_BYTES ? HASH_BITS : LONG_HASH_BITS
  // One more than the place; 0 is none.
  const seen = new Int32Array(1 << bits)
  const lastMatch = source.length - LAST_MATCH_FROM_END
  let from = 0
  let end = 0
  let misses = 1 << PATIENCE_BITS
  for (let at = 0; at <= lastMatch; ) {
    const word = words.getInt32(at, true)
    const slot = Math.imul(word, HASH_FACTOR) >>> (32 - bits)
    const before = (seen[slot] ?? 0) - 1
    seen[slot] = at + 1
    if (before < 0 || at - before > MAX_OFFSET || words.getInt32(before, true) !== word) {
      at += misses++ >>> PATIENCE_BITS
      continue
    }
    const length = matchLength(source, before, at)
    end = writeRun(source, from, at, target, end, length)
    target[end] = at - before
    target[end + 1] = (at - before) >>> 8
    end = writeRest(target, end + 2, length - LEAST_MATCH)
    at += length
    from = at
    misses = 1 << PATIENCE_BITS
  }
  return writeRun(source, from, source.length, target, end, LEAST_MATCH)
}

function matchLength(source: Buffer, before: number, at: number): number {
  const most = source.length - LAST_LITERALS - at
  let length = LEAST_MATCH
  while (length < most && source[before + length] === source[at + length]) length++
  return length
}

/** Token and literals; the match behind them has that length. */
function writeRun(
  source: Buffer,
  from: number,
  to: number,
  target: Buffer,
  at: number,
  match: number,
): number {
  const literals = to - from
  target[at] = (Math.min(literals, FULL) << 4) | Math.min(match - LEAST_MATCH, FULL)
  return copy(source, from, to, target, writeRest(target, at + 1, literals))
}

/** What of a length does not fit into its part of the token. */
function writeRest(target: Buffer, from: number, length: number): number {
  if (length < FULL) return from
  let at = from
  let rest = length - FULL
  for (; rest >= 255; rest -= 255) target[at++] = 255
  target[at] = rest
  return at + 1
}

function copy(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  if (to - from >= LONG_RUN) return at + source.copy(target, at, from, to)
  const shift = at - from
  for (let i = from; i < to; i++) target[i + shift] = source[i] ?? 0
  return to + shift
}

/**
 * Writes what a block holds to `target` from `at` on; matches may reach back to its beginning. Gives
 * back the end. Throws `RangeError` when the block is broken, or does not fit.
 */
export function decompressBlock(block: Buffer, target: Buffer, at: number): number {
  let end = at
  for (let read = 0; read < block.length; ) {
    const token = block[read++] ?? 0
    let literals = token >>> 4
    if (literals === FULL) {
      const rest = restOf(block, read)
      literals += rest
      read += restBytes(rest)
    }
    if (read + literals > block.length || end + literals > target.length) throw broken()
    end = copy(block, read, read + literals, target, end)
    read += literals
    if (read === block.length) return end
    const offset = (block[read] ?? 0) | ((block[read + 1] ?? 0) << 8)
    read += 2
    let match = (token & FULL) + LEAST_MATCH
    if (match === FULL + LEAST_MATCH) {
      const rest = restOf(block, read)
      match += rest
      read += restBytes(rest)
    }
    if (offset === 0 || offset > end || end + match > target.length) throw broken()
    end = repeat(target, end, offset, match)
  }
  throw broken()
}

/** How many bytes a block holds. Throws `RangeError` when it is broken. */
export function contentBytes(block: Buffer): number {
  let size = 0
  for (let read = 0; read < block.length; ) {
    const token = block[read++] ?? 0
    let literals = token >>> 4
    if (literals === FULL) {
      const rest = restOf(block, read)
      literals += rest
      read += restBytes(rest)
    }
    size += literals
    read += literals
    if (read === block.length) return size
    read += 2
    size += (token & FULL) + LEAST_MATCH
    if ((token & FULL) < FULL) continue
    const rest = restOf(block, read)
    size += rest
    read += restBytes(rest)
  }
  throw broken()
}

/** What a length has beside its part of the token. */
function restOf(block: Buffer, from: number): number {
  let rest = 0
  for (let at = from; at < block.length; at++) {
    const more = block[at] ?? 0
    rest += more
    if (more < 255) return rest
  }
  throw broken()
}

/** How many bytes say so. */
function restBytes(rest: number): number {
  return Math.floor(rest / 255) + 1
}

/** Copies what lies `offset` before `at`; what is written may be read in the same copy. */
function repeat(target: Buffer, at: number, offset: number, length: number): number {
  const end = at + length
  if (length >= LONG_RUN && offset >= length) {
    target.copyWithin(at, at - offset, at - offset + length)
    return end
  }
  for (let i = at; i < end; i++) target[i] = target[i - offset] ?? 0
  return end
}

function broken(): RangeError {
  return new RangeError('the LZ4 block is broken')
}
