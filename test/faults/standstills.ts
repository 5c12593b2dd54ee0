/**
 * Finds out, from what handlers did, for how long queues stood still although they had messages.
 * Pure.
 */
import type { Standstill, StormDelivery } from '@rockhopper/sim'

/** A message, and when it was acknowledged. */
export interface Acknowledged {
  readonly key: string
  readonly queue: string
  readonly atMs: number
}

/** Shorter ones are of no interest. */
const LEAST_MS = 1_000

/** Times in which a queue had a message that its group had not got, and nothing of it was handled. */
export function standstillsIn(
  deliveries: readonly StormDelivery[],
  acknowledged: readonly Acknowledged[],
  groups: readonly string[],
): Standstill[] {
  const acknowledgedAt = new Map(acknowledged.map(({ atMs, key }) => [key, atMs]))
  const movedAt = new Map<string, number>()
  const known = new Set<string>()
  const found: Standstill[] = []
  for (const { atMs, end, group, key, queue } of deliveries) {
    const place = `${group} ${queue}`
    const fromMs = Math.max(acknowledgedAt.get(key) ?? atMs, movedAt.get(place) ?? 0)
    const isFirst = !known.has(`${group} ${key}`)
    known.add(`${group} ${key}`)
    if (isFirst && atMs - fromMs >= LEAST_MS) {
      found.push({ kind: 'idle', group, queue, fromMs, untilMs: atMs })
    }
    movedAt.set(place, Math.max(movedAt.get(place) ?? 0, atMs, end?.atMs ?? 0))
  }
  return found.filter(({ group }) => groups.includes(group))
}
