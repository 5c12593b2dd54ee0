/**
 * A table of texts. Source: Apache class KVTable; `namesrv.md` section 9.
 */
import { parseFastjson } from '../fastjson.ts'
import { javaJson } from './java-json.ts'
import { asObject, asText } from './shape.ts'

export type KvTable = ReadonlyMap<string, string>

export function encodeKvTable(table: KvTable): Buffer {
  return Buffer.from(javaJson({ table }, 'plain'))
}

/** Throws `SyntaxError` when the body is not JSON. An empty body is an empty table. */
export function decodeKvTable(body: Buffer): KvTable {
  if (body.length === 0) return new Map()
  return kvTableOf(asObject(parseFastjson(body.toString()))['table'])
}

/** Reads a map of texts out of decoded JSON; what is null is left out. */
export function kvTableOf(value: unknown): Map<string, string> {
  const entries = Object.entries(asObject(value)).filter(([, text]) => text !== null)
  return new Map(entries.map(([key, text]) => [key, asText(text)]))
}
