/**
 * Writes JSON the two ways in which Apache's name server does: "plain", as fastjson does by itself,
 * with numeric map keys bare; and "standard", for peers that insist on it, with every key quoted,
 * map keys sorted, and all but ASCII escaped. Both are compact: the Go client cuts the text by hand.
 * Source: `remoting.md` section 9, `namesrv.md` section 5.1.
 */

export type JsonForm = 'plain' | 'standard'

/** Text of plain objects, lists, maps with text or number keys, and primitives; undefined is left out. */
export function javaJson(value: unknown, form: JsonForm): string {
  const text = textOf(value, form)
  return form === 'plain' ? text : text.replace(/[^ -.0-~]/g, escaped)
}

function textOf(value: unknown, form: JsonForm): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item, form)).join(',')}]`
  if (value instanceof Map) return mapText(value, form)
  const parts = Object.entries(value)
    .filter(([, item]) => item !== undefined && item !== null)
    .map(([key, item]) => `${JSON.stringify(key)}:${textOf(item, form)}`)
  return `{${parts.join(',')}}`
}

function mapText(map: ReadonlyMap<unknown, unknown>, form: JsonForm): string {
  const entries = form === 'plain' ? [...map] : [...map].sort(byKey)
  const parts = entries.map(([key, item]) => {
    const bare = typeof key === 'number' && form === 'plain'
    return `${bare ? key : JSON.stringify(String(key))}:${textOf(item, form)}`
  })
  return `{${parts.join(',')}}`
}

function byKey([left]: [unknown, unknown], [right]: [unknown, unknown]): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  return String(left) < String(right) ? -1 : 1
}

/** `/` and what is not ASCII stand in texts only, never between them. */
function escaped(char: string): string {
  if (char === '/') return '\\/'
  return `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`
}
