/**
 * The properties of a message in their stored text form.
 *
 *   name 0x01 value 0x02 | name 0x01 value 0x02 | …
 *
 * Source: Apache class MessageDecoder (messageProperties2String, string2messageProperties);
 * `store-format.md` section 5.
 */
import { javaHashCode } from './tag-hash.ts'

const NAME_END = '\x01'
const VALUE_END = '\x02'
const VALUE_END_CODE = 2
/** A pair has at least one character of name, the separator and one of value. */
const LEAST_PAIR_CHARS = 3

/** Pairs without a value are left out: no reader would see them. */
export function encodeProperties(
  properties: Readonly<Record<string, string | undefined>> | ReadonlyMap<string, string>,
): string {
  const pairs = properties instanceof Map ? properties : Object.entries(properties)
  let text = ''
  for (const [name, value] of pairs) {
    if (name !== '' && value !== undefined && value !== '') {
      text += name + NAME_END + value + VALUE_END
    }
  }
  return text
}

/**
 * Broken pairs are dropped, of repeated names the last counts, and the last pair need not be ended
 * (clients 4.9.2 to 4.9.8 do not end it): this is how Apache reads.
 */
export function decodeProperties(text: string | Buffer): Map<string, string> {
  const properties = new Map<string, string>()
  for (const pair of text.toString().split(VALUE_END)) {
    const nameEnd = pair.indexOf(NAME_END)
    if (pair.length < LEAST_PAIR_CHARS || nameEnd < 1 || nameEnd === pair.length - 1) continue
    properties.set(pair.slice(0, nameEnd), pair.slice(nameEnd + 1))
  }
  return properties
}

/** The value of one property, without decoding the others; of repeated ones the last. */
export function findProperty(properties: Buffer, name: string): string | undefined {
  const start = Buffer.from(name + NAME_END)
  let at = properties.lastIndexOf(start)
  while (at > 0 && properties[at - 1] !== VALUE_END_CODE) {
    at = properties.lastIndexOf(start, at - 1)
  }
  if (at === -1) return undefined
  const end = properties.indexOf(VALUE_END, at)
  const value = properties.toString('utf8', at + start.length, end === -1 ? undefined : end)
  return value === '' ? undefined : value
}

const TAGS = Buffer.from(`TAGS${NAME_END}`)

/** What the consume queue keeps of the tag: its hash, 0 without one. */
export function tagsCodeOf(properties: Buffer): number {
  const at = properties.lastIndexOf(TAGS)
  if (at === -1) return 0
  if (at === 0 || properties[at - 1] === VALUE_END_CODE) {
    const hash = asciiHash(properties, at + TAGS.length)
    if (hash !== undefined) return hash
  }
  return javaHashCode(findProperty(properties, 'TAGS') ?? '')
}

/** The hash of the value at `at`; undefined when it has other characters than ASCII. */
function asciiHash(properties: Buffer, at: number): number | undefined {
  let hash = 0
  for (let i = at; i < properties.length; i++) {
    const code = properties[i] ?? 0
    if (code === VALUE_END_CODE) break
    if (code > 127) return undefined
    hash = (Math.imul(31, hash) + code) | 0
  }
  return hash
}

/** One pair as bytes, to be put in front of what a client sent. */
export function propertyPair(name: string, value: string): Buffer {
  return Buffer.from(name + NAME_END + value + VALUE_END)
}
