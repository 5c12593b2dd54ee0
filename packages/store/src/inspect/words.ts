/**
 * How the inspector writes sizes, times, counts and columns. Owns nothing.
 */

/** Gives the local time of the machine, in which operators think. */
export type TimeText = (timeMs: number) => string

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `1.5 GiB`. */
export function bytesText(bytes: number): string {
  let unit = 0
  let value = bytes
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]}`
}

const SPANS = [
  { ms: 86_400_000, name: 'd' },
  { ms: 3_600_000, name: 'h' },
  { ms: 60_000, name: 'min' },
] as const

/** `3 h`; a span that is negative, by a clock that was set, is 0 s. */
export function spanText(ms: number): string {
  const span = SPANS.find((each) => ms >= each.ms)
  if (span !== undefined) return `${Math.floor(ms / span.ms)} ${span.name}`
  return `${Math.max(0, Math.floor(ms / 1000))} s`
}

/** `1 message`, `2 messages`. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** Columns with two spaces between them; those named in `right` hold numbers. */
export function tableText(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number>,
): string[] {
  const lines = [titles, ...rows]
  const widths = titles.map((_, i) => Math.max(...lines.map((cells) => cells[i]?.length ?? 0)))
  return lines.map((cells) =>
    cells
      .map((cell, i) => {
        const width = widths[i] ?? 0
        return right.has(i) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
}
