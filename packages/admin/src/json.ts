/** Values as JSON for people and programs: maps become objects, absent things are left out. */

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item) => plain(item), 2)
}

function plain(item: unknown): unknown {
  return item instanceof Map ? Object.fromEntries(item) : item
}
