/**
 * Java's hash of a string, by which brokers filter tags and look up keys.
 * Source: `java.lang.String.hashCode`; `store-format.md`, conventions.
 */

/** h = 31 h + code unit over UTF-16 code units, in signed 32 bits. */
export function javaHashCode(text: string): number {
  return continueHash(0, text)
}

/** The hash of a longer text whose beginning has the hash `start`, and whose rest is `text`. */
export function continueHash(start: number, text: string): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash
}
