/** When a file goes and when messages are refused: the table of Apache's broker, and what follows. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acceptsAgainAt,
  hourOf,
  type RetentionRules,
  refusesAt,
  removalReason,
  type Situation,
} from '../../packages/store/src/retention/retention-rules.ts'

const HOUR_MS = 3_600_000
const NOW_MS = 1_704_067_200_000

const apache: RetentionRules = {
  reservedMs: 72 * HOUR_MS,
  deleteHours: [4],
  cleanAbovePercent: 75,
  forceAbovePercent: 85,
  refuseAbovePercent: 90,
  mayForce: true,
}
const expired = NOW_MS - 72 * HOUR_MS
const fresh = expired + 1

function reason(modifiedMs: number, situation: Partial<Situation>, rules = apache) {
  const usual = { nowMs: NOW_MS, localHour: 12, usedPercent: 20, isAsked: false }
  return removalReason(rules, { ...usual, ...situation }, modifiedMs)
}

describe('the oldest file', () => {
  it.each([
    [expired, {}, undefined],
    [expired, { localHour: 4 }, 'its time'],
    [fresh, { localHour: 4 }, undefined],
    [expired, { localHour: 5 }, undefined],
    [expired, { isAsked: true }, 'asked'],
    [fresh, { isAsked: true }, undefined],
    [expired, { usedPercent: 75 }, undefined],
    [expired, { usedPercent: 76 }, 'little room'],
    [fresh, { usedPercent: 85 }, undefined],
    [fresh, { usedPercent: 86 }, 'no room'],
    [fresh, { usedPercent: 100 }, 'no room'],
  ] as const)('last written at %d goes in %o because: %s', (modifiedMs, situation, because) => {
    expect(reason(modifiedMs, situation)).toBe(because)
  })

  it('stays before it has expired, whatever the use, when cleanFileForciblyEnable is false', () => {
    const gentle = { ...apache, mayForce: false, cleanAbovePercent: 95 }
    expect(reason(fresh, { usedPercent: 100 }, gentle)).toBeUndefined()
    expect(reason(expired, { usedPercent: 86 }, gentle)).toBe('little room')
  })

  it('goes in each of several hours', () => {
    const rules = { ...apache, deleteHours: [0, 16] }
    const hours = Array.from({ length: 24 }, (_, localHour) => localHour)
    const busy = hours.filter((localHour) => reason(expired, { localHour }, rules) !== undefined)
    expect(busy).toEqual([0, 16])
  })

  it('that the clock takes for written in the future is kept', () => {
    expect(reason(NOW_MS + HOUR_MS, { localHour: 4 })).toBeUndefined()
  })
})

const percent = fc.integer({ min: 0, max: 100 })
const anyRules: fc.Arbitrary<RetentionRules> = fc.record({
  reservedMs: fc.nat(100 * HOUR_MS),
  deleteHours: fc.uniqueArray(fc.nat(23), { minLength: 1 }),
  cleanAbovePercent: fc.integer({ min: 10, max: 95 }),
  forceAbovePercent: fc.integer({ min: 30, max: 85 }),
  refuseAbovePercent: fc.integer({ min: 35, max: 90 }),
  mayForce: fc.boolean(),
})
const anySituation: fc.Arbitrary<Situation> = fc.record({
  nowMs: fc.constant(NOW_MS),
  localHour: fc.nat(23),
  usedPercent: percent,
  isAsked: fc.boolean(),
})
const anyAge = fc.integer({ min: -HOUR_MS, max: 200 * HOUR_MS })

describe('whatever the rules are', () => {
  it('an older file goes when a younger one does', () => {
    fc.assert(
      fc.property(anyRules, anySituation, anyAge, fc.nat(), (rules, situation, ageMs, more) => {
        if (removalReason(rules, situation, NOW_MS - ageMs) === undefined) return
        expect(removalReason(rules, situation, NOW_MS - ageMs - more)).toBeDefined()
      }),
      { seed: 1 },
    )
  })

  it('a fuller volume never keeps what a roomier one gives away', () => {
    fc.assert(
      fc.property(anyRules, anySituation, anyAge, percent, (rules, situation, ageMs, more) => {
        if (removalReason(rules, situation, NOW_MS - ageMs) === undefined) return
        const usedPercent = situation.usedPercent + more
        expect(removalReason(rules, { ...situation, usedPercent }, NOW_MS - ageMs)).toBeDefined()
      }),
      { seed: 1 },
    )
  })

  it('messages that are refused make room, if that is allowed at all', () => {
    fc.assert(
      fc.property(anyRules, anySituation, percent, (rules, situation, used) => {
        if (!refusesAt(rules, used, false) || !rules.mayForce) return
        expect(removalReason(rules, { ...situation, usedPercent: used }, NOW_MS)).toBe('no room')
      }),
      { seed: 1 },
    )
  })
})

describe('messages', () => {
  it('are refused above the warning level, until the use falls to the level of forced removal', () => {
    const seen: boolean[] = []
    let refused = false
    for (const used of [80, 90, 91, 90, 86, 85, 86, 90, 91]) {
      refused = refusesAt(apache, used, refused)
      seen.push(refused)
    }
    expect(seen).toEqual([false, false, true, true, true, false, false, false, true])
    expect(acceptsAgainAt(apache)).toBe(85)
  })

  it('are accepted again below the warning level when that is the lower one', () => {
    const rules = { ...apache, refuseAbovePercent: 60 }
    expect(refusesAt(rules, 61, false)).toBe(true)
    expect(refusesAt(rules, 60, true)).toBe(false)
    expect(acceptsAgainAt(rules)).toBe(60)
  })

  it('never flutter: what is refused now is not accepted at the same use', () => {
    fc.assert(
      fc.property(anyRules, percent, fc.boolean(), (rules, used, refused) => {
        const once = refusesAt(rules, used, refused)
        expect(refusesAt(rules, used, once)).toBe(once)
      }),
      { seed: 1 },
    )
  })
})

describe('the hour of the day', () => {
  it.each([
    [NOW_MS, 0, 0],
    [NOW_MS, 8 * HOUR_MS, 8],
    [NOW_MS, -5 * HOUR_MS, 19],
    [NOW_MS + HOUR_MS - 1, 5.5 * HOUR_MS, 6],
    [0, -HOUR_MS, 23],
  ])('at %d where local time is %d ms ahead of UTC is %d', (atMs, offsetMs, hour) => {
    expect(hourOf(atMs, offsetMs)).toBe(hour)
  })
})
