/**
 * Reads values of the right type out of decoded JSON. Peers write the same field as a number, a text
 * or a boolean, depending on their language; like fastjson, these readers take what can be meant.
 */

export type JsonObject = Readonly<Record<string, unknown>>

/** The value as an object; an empty one when it is something else. */
export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {}
}

/** The value as a list; an empty one when it is something else. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** The value as text; `otherwise` when it is absent. */
export function asText(value: unknown, otherwise = ''): string {
  return value === undefined || value === null ? otherwise : String(value)
}

/** The value as a number; `otherwise` when it is absent or none. */
export function asNumber(value: unknown, otherwise = 0): number {
  if (value === undefined || value === null || value === '') return otherwise
  const number = Number(value)
  return Number.isNaN(number) ? otherwise : number
}

/** The value as a boolean; `otherwise` when it is absent. */
export function asBool(value: unknown, otherwise = false): boolean {
  if (value === undefined || value === null) return otherwise
  return value === true || String(value).toLowerCase() === 'true'
}
