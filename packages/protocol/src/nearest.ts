/**
 * Finds the name somebody probably meant. It owns nothing.
 */

/** Longer words are not compared: the work grows with the length, and no name of ours is near. */
const LONGEST_WORD_CHARS = 64

/** The name with the fewest typing errors between it and `word`; undefined when none is near. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD_CHARS) return undefined
  let best: string | undefined
  let bestErrors = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const name of names) {
    const errors = editDistance(word.toLowerCase(), name.toLowerCase())
    if (errors >= bestErrors) continue
    best = name
    bestErrors = errors
  }
  return best
}

/** Characters to insert, remove or replace to get from one word to the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1]
      const replaced = (row[j - 1] ?? 0) + (same ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
