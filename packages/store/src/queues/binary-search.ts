/**
 * Searches in what is sorted. Owns nothing.
 */

/** The first number from `low` to `high` that `holds`; `high` when none does. */
export function firstWhere(low: number, high: number, holds: (at: number) => boolean): number {
  let from = low
  let to = high
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    if (holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}

/** The same for a question that takes time to answer. */
export async function firstWhereAsync(
  low: number,
  high: number,
  holds: (at: number) => boolean | Promise<boolean>,
): Promise<number> {
  let from = low
  let to = high
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    if (await holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}
