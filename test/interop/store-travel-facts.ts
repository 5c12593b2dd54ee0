/**
 * Facts about a store directory that travels between our broker and Apache's, said once for any
 * itinerary: whoever takes it over serves all that was acknowledged, and goes on where it ended.
 */
import { afterAll, beforeAll, describe, inject, test } from 'vitest'
import { endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import type { ServerFamily } from './server.ts'
import { Journey } from './store-journey.ts'

/** One stay of a broker on the directory, and how it ends before the next one can begin. */
export interface Leg {
  readonly family: ServerFamily
  readonly end?: 'stop' | 'kill'
}

export function describeTravel(title: string, legs: readonly Leg[]): void {
  describe(title, () => {
    let journey: Journey

    beforeAll(async () => {
      journey = await Journey.prepare(inject('runDir'))
    })
    afterAll(endAll)

    for (const [number, leg] of legs.entries()) {
      const { family, end } = leg
      describe(titleOf(legs, number), () => {
        beforeAll(() => journey.enter(family))

        if (number > 0) {
          test('all that was acknowledged is served, unchanged and in its place', () =>
            journey.checkMessages())
          test('a subscription gets the messages with its tags', () => journey.checkTags())
          test('each queue has the bounds of its messages', () => journey.checkBounds())
          test('offsets are found by time', () => journey.checkTimes())
          test('groups have the offsets they had committed', () => journey.checkGroups())
          test('messages are found by their ids', () => journey.checkIds())
          test('messages are found by their keys', () => journey.checkKeys())
        }
        if (number > 0) {
          test('delayed messages that were taken before are delivered, each once', () =>
            journey.checkDelayed())
        }
        test('more messages and offsets are taken', () => journey.add(number))
        if (end !== undefined) test('delayed messages are taken', () => journey.delay())
        if (end === 'stop') test('it ends in good order', () => journey.stop())
        if (end === 'kill') test('it is killed while messages come in', () => journey.kill(number))
        if (family === apache) {
          test('Apache has found no fault with the directory', () => journey.checkApacheLog())
        }
        if (end !== undefined) {
          test('all topics, groups and offsets are in its tables', () => journey.checkTables())
        }
      })
    }
  })
}

function titleOf(legs: readonly Leg[], number: number): string {
  const before = legs[number - 1]
  const maker = (leg: Leg | undefined): string => (leg?.family === apache ? 'Apache' : 'ours')
  if (before === undefined) return `1: ${maker(legs[number])} begins`
  const manner = before.end === 'stop' ? 'was stopped' : 'was killed'
  return `${number + 1}: ${maker(legs[number])} goes on after ${maker(before)} ${manner}`
}
