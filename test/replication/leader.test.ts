/** What a master does for its slaves, told as it happens. */
import { describe, expect, it } from 'vitest'
import {
  Leader,
  type LeaderEvent,
  type LeaderRules,
} from '../../packages/replication/src/leader.ts'
import { lines, transcriptOf } from './transcript.ts'

const rules: LeaderRules = {
  segmentBytes: 1_000,
  stretchBytes: 300,
  heartbeatMs: 5_000,
  silenceMs: 20_000,
  maxLagBytes: 500,
  maxBytesPerSecond: Number.POSITIVE_INFINITY,
  tickMs: 500,
  enough: 1,
}

function play(events: readonly LeaderEvent[], given: Partial<LeaderRules> = {}, end = 2_500) {
  return transcriptOf(new Leader({ ...rules, ...given }, 1_000, end), events)
}

const opened = (peer = 1, atMs = 0): LeaderEvent => ({ kind: 'opened', peer, atMs })
const reported = (offset: number, peer = 1, atMs = 0): LeaderEvent => {
  return { kind: 'reported', peer, offset, atMs }
}
const shipped = (to: number, peer = 1, isFull = false, atMs = 0): LeaderEvent => {
  return { kind: 'shipped', peer, to, isFull, atMs }
}
const grown = (endOffset: number, minOffset = 1_000): LeaderEvent => {
  return { kind: 'grown', minOffset, endOffset }
}
const ticked = (atMs: number): LeaderEvent => ({ kind: 'ticked', atMs })

describe('a master', () => {
  it('says nothing before the first report, however long it takes', () => {
    expect(play([opened(), grown(2_600), ticked(10_000)])).toBe(
      lines(`
        opened peer 1 atMs 0
        grown minOffset 1000 endOffset 2600
        ticked atMs 10000
      `),
    )
  })

  it('sends what a slave lacks, never over the end of a segment', () => {
    const events = [opened(), reported(1_900), shipped(2_000), shipped(2_300), shipped(2_500)]
    expect(play(events)).toBe(
      lines(`
        opened peer 1 atMs 0
        reported peer 1 offset 1900 atMs 0
          → replicated to 1900
          → ship peer 1 from 1900 to 2000
        shipped peer 1 to 2000 isFull false atMs 0
          → ship peer 1 from 2000 to 2300
        shipped peer 1 to 2300 isFull false atMs 0
          → ship peer 1 from 2300 to 2500
        shipped peer 1 to 2500 isFull false atMs 0
      `),
    )
  })

  it('lets a slave with nothing begin with the last segment', () => {
    expect(play([opened(), reported(0)])).toContain('→ ship peer 1 from 2000 to 2300')
    expect(play([opened(), reported(0), grown(3_100)], {}, 3_000)).toContain(
      'endOffset 3100\n  → ship peer 1 from 3000 to 3100',
    )
  })

  it('sends no more to one that is full until it has drained', () => {
    const events = [opened(), reported(2_000), shipped(2_300, 1, true), grown(2_600)]
    expect(play([...events, { kind: 'drained', peer: 1 }])).toBe(
      lines(`
        opened peer 1 atMs 0
        reported peer 1 offset 2000 atMs 0
          → replicated to 2000
          → ship peer 1 from 2000 to 2300
        shipped peer 1 to 2300 isFull true atMs 0
        grown minOffset 1000 endOffset 2600
        drained peer 1
          → ship peer 1 from 2300 to 2600
      `),
    )
  })

  it('sends no more in a second than it is allowed to', () => {
    const events = [opened(), reported(2_000), shipped(2_300), ticked(500), ticked(1_000)]
    expect(play(events, { maxBytesPerSecond: 400 })).toBe(
      lines(`
        opened peer 1 atMs 0
        reported peer 1 offset 2000 atMs 0
          → replicated to 2000
          → ship peer 1 from 2000 to 2300
        shipped peer 1 to 2300 isFull false atMs 0
        ticked atMs 500
          → ship peer 1 from 2300 to 2500
        ticked atMs 1000
      `),
    )
  })

  it('tells an idle slave every few seconds where it is, and gives up a silent one', () => {
    const events = [opened(), reported(2_500), ticked(4_999), ticked(5_000), ticked(5_500)]
    expect(play([...events, ticked(20_001)])).toBe(
      lines(`
        opened peer 1 atMs 0
        reported peer 1 offset 2500 atMs 0
          → replicated to 2500
        ticked atMs 4999
        ticked atMs 5000
          → heartbeat peer 1 offset 2500
        ticked atMs 5500
        ticked atMs 20001
          → close peer 1 reason it was silent for 20000 ms (haHousekeepingInterval)
      `),
    )
  })

  it('counts what enough slaves have', () => {
    const events = [
      ...[opened(1), reported(2_400, 1), opened(2), reported(2_450, 2)],
      ...[shipped(2_500, 1), shipped(2_500, 2), reported(2_500, 1), reported(2_480, 2)],
    ]
    const replicated = (enough: number) =>
      play(events, { enough })
        .match(/replicated to \d+/g)
        ?.map((line) => Number(line.slice(14)))
    expect(replicated(1)).toEqual([2_400, 2_450, 2_500])
    expect(replicated(2)).toEqual([2_400, 2_450, 2_480])
    expect(replicated(3)).toBeUndefined()
  })

  it('counts as near who lacks little, and has said where it is', () => {
    const leader = new Leader(rules, 1_000, 2_500)
    for (const event of [opened(1), opened(2), opened(3), reported(1_900, 2), reported(2_400, 3)]) {
      leader.step(event)
    }
    expect(leader.followersNear).toBe(1)
  })

  it.each([
    ['has more than it', [reported(2_501)], 'its log goes up to 2501'],
    ['has nothing that it still has', [reported(900)], 'nothing before 1000 any more'],
    ['claims to have what was not sent', [reported(2_400), reported(2_450)], 'was sent only'],
    [
      'is slower than the removal of old files',
      [reported(1_900), shipped(2_000, 1, true), grown(3_500, 3_000), { kind: 'drained', peer: 1 }],
      'has removed what it lacks',
    ],
  ] as const)('closes the connection of a slave that %s', (_, events, reason) => {
    const transcript = play([opened(), ...events])
    expect(transcript).toContain('→ close peer 1')
    expect(transcript).toContain(reason)
  })

  it('does not mind what comes of a slave that is gone', () => {
    const leader = new Leader(rules, 1_000, 2_500)
    for (const event of [opened(), reported(2_000)]) leader.step(event)
    leader.step({ kind: 'closed', peer: 1 })
    expect(leader.step(shipped(2_300))).toEqual([])
    expect(leader.step(reported(2_300))).toEqual([])
    expect(leader.step(grown(2_600))).toEqual([])
  })
})

describe('a slave that asks first', () => {
  const asked = (from: number, to: number): LeaderEvent => {
    return { kind: 'asked', peer: 1, from, to, atMs: 0 }
  }
  const greeted: LeaderEvent = { kind: 'greeted', peer: 1, atMs: 0 }

  it('is told what there is, and which sums it has', () => {
    const events = [greeted, asked(2_000, 2_500), { kind: 'answered', peer: 1 } as const]
    expect(play([opened(), ...events, asked(900, 2_000)])).toBe(
      lines(`
        opened peer 1 atMs 0
        greeted peer 1 atMs 0
          → welcome peer 1 minOffset 1000 endOffset 2500
        asked peer 1 from 2000 to 2500 atMs 0
          → sum peer 1 from 2000 to 2500 isThere true
        answered peer 1
        asked peer 1 from 900 to 2000 atMs 0
          → sum peer 1 from 900 to 2000 isThere false
      `),
    )
  })

  it('may begin with any segment', () => {
    const begun = (offset: number): LeaderEvent => ({ kind: 'begun', peer: 1, offset, atMs: 0 })
    expect(play([opened(), greeted, begun(1_000)])).toContain('→ ship peer 1 from 1000 to 1300')
    for (const offset of [0, 1_500, 3_000]) {
      expect(play([opened(), greeted, begun(offset)])).toContain('its log cannot begin at')
    }
  })

  it('asks one thing at a time, and no more than a record and what fills up a segment', () => {
    expect(play([opened(), asked(1_000, 2_000), asked(1_000, 2_000)])).toContain('→ close')
    expect(play([opened(), asked(0, 2 ** 40)])).toContain('→ close')
  })
})
