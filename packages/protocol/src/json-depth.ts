/**
 * How deep a JSON text is nested, found without building it: V8 works for a quarter of a second on
 * each megabyte of brackets, in which nobody else is served. Owns nothing.
 */

/** Levels above which a text is refused: nothing that peers write is so deep. */
export const MAX_JSON_DEPTH = 64

/** A shorter text is read in no time, whatever it holds. */
const CHECKED_FROM_CHARS = 16 * 1024

const BACKSLASH = 0x5c
const OPENING: ReadonlySet<number> = new Set([0x7b, 0x5b])
const CLOSING: ReadonlySet<number> = new Set([0x7d, 0x5d])
/** Single quotes are fastjson's; in standard JSON nothing is read behind one. */
const QUOTES: ReadonlySet<number> = new Set([0x22, 0x27])

/** Whether a long text is nested deeper than anybody needs. */
export function isNestedTooDeep(text: string): boolean {
  if (text.length < CHECKED_FROM_CHARS) return false
  let depth = 0
  let quote: number | undefined
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (quote !== undefined) {
      if (char === BACKSLASH) at++
      else if (char === quote) quote = undefined
    } else if (QUOTES.has(char)) quote = char
    else if (CLOSING.has(char)) depth--
    else if (OPENING.has(char) && ++depth > MAX_JSON_DEPTH) return true
  }
  return false
}
