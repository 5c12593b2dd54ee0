/** What a slave does with its master, told as it happens. */
import { describe, expect, it } from 'vitest'
import {
  Follower,
  type FollowerEvent,
  type FollowerRules,
} from '../../packages/replication/src/follower.ts'
import { lines, transcriptOf } from './transcript.ts'

const rules: FollowerRules = {
  segmentBytes: 1_000,
  heartbeatMs: 5_000,
  silenceMs: 20_000,
  welcomeMs: 1_000,
  retryMs: 1_000,
  refusedRetryMs: 30_000,
  needsWelcome: false,
  maxCutBytes: 100,
}

const address = { host: '10.0.0.1', port: 10_912 }
const addressed: FollowerEvent = { kind: 'addressed', address, atMs: 0 }
const connected = (atMs = 10): FollowerEvent => ({ kind: 'connected', atMs })
const ticked = (atMs: number): FollowerEvent => ({ kind: 'ticked', atMs })
const own = { isEmpty: false, minOffset: 0, endOffset: 500 }

function welcomed(endOffset: number, given = {}): FollowerEvent {
  const its = { minOffset: 0, endOffset, segmentBytes: 1_000 }
  return { kind: 'welcomed', ...its, own, firstEndOffset: 90, atMs: 20, ...given }
}

const compared = (isEqual: boolean): FollowerEvent => ({ kind: 'compared', isEqual, atMs: 30 })

function play(events: readonly FollowerEvent[], safeOffset = 500): string {
  return transcriptOf(new Follower(rules, safeOffset), events)
}

/** Only what it wants done, but for connecting. */
function effects(events: readonly FollowerEvent[]): string[] {
  const all = play([addressed, connected(), ...events]).match(/→ .*/g) ?? []
  return all.slice(2)
}

describe('a slave', () => {
  it('reports to a master that does not welcome it, as Apache has it', () => {
    expect(play([addressed, connected(), ticked(500), ticked(1_010), ticked(6_010)])).toBe(
      lines(`
        addressed address {host:10.0.0.1,port:10912} atMs 0
          → connect address {host:10.0.0.1,port:10912}
        connected atMs 10
          → greet
        ticked atMs 500
        ticked atMs 1010
          → report offset 500
        ticked atMs 6010
          → report offset 500
      `),
    )
  })

  it('follows a master that has all of its log', () => {
    expect(effects([welcomed(700), compared(true)])).toEqual([
      '→ compare from 0 to 500',
      '→ report offset 500',
    ])
  })

  it('begins with all that the master has when it has nothing', () => {
    const empty = { isEmpty: true, minOffset: 0, endOffset: 0 }
    expect(effects([welcomed(5_500, { minOffset: 3_000, own: empty })])).toEqual([
      '→ begin offset 3000',
    ])
  })

  it('cuts off what its master does not have, if that is little', () => {
    expect(effects([welcomed(420), compared(true)])).toEqual([
      '→ compare from 0 to 420',
      '→ cut to 420 endOffset 500',
    ])
  })

  it('cuts off nothing where much would go, or where nothing is the same', () => {
    for (const events of [
      [welcomed(399), compared(true)],
      [welcomed(0)],
      [welcomed(450, { firstEndOffset: 460 }), compared(true)],
      [welcomed(500), ...Array.from({ length: 12 }, () => compared(false))],
      [welcomed(9_000, { minOffset: 1_000 })],
    ]) {
      const last = effects(events).at(-1)
      expect(last).toContain('→ close reason the logs of the master')
      expect(last).toContain('Nothing was changed')
    }
  })

  it('asks a master again only after a while that it may not follow', () => {
    const events = [addressed, connected(), welcomed(0), ticked(30_019), ticked(30_020)]
    expect(play(events).split('\n').slice(-3)).toEqual([
      'ticked atMs 30019',
      'ticked atMs 30020',
      '  → connect address {host:10.0.0.1,port:10912}',
    ])
  })

  it('does not follow a master whose files have another size', () => {
    expect(effects([welcomed(700, { segmentBytes: 2_000 })])[0]).toContain(
      'mappedFileSizeCommitLog',
    )
  })

  it('reports what is safe as soon as it is, and takes frames that belong at its end', () => {
    const framed = (offset: number): FollowerEvent => ({ kind: 'framed', offset, own, atMs: 40 })
    const following = [welcomed(700), compared(true)]
    expect(effects([...following, framed(500), { kind: 'safe', to: 600, atMs: 50 }]).at(-1)).toBe(
      '→ report offset 600',
    )
    expect(effects([...following, framed(501)]).at(-1)).toContain('→ close')
    expect(effects([framed(500)]).at(-1)).toContain('sends before it was told')
  })

  it('gives up a silent master, and tries again soon', () => {
    const events = [addressed, connected(), welcomed(700), compared(true), ticked(20_031)]
    const transcript = play([...events, ticked(21_030), ticked(21_031)]).split('\n')
    expect(transcript.slice(-4)).toEqual([
      '  → close reason the master was silent for 20000 ms (haHousekeepingInterval)',
      'ticked atMs 21030',
      'ticked atMs 21031',
      '  → connect address {host:10.0.0.1,port:10912}',
    ])
  })

  it('goes to where its master has moved at once', () => {
    const moved = { host: '10.0.0.2', port: 10_912 }
    const events: FollowerEvent[] = [
      { kind: 'addressed', address, atMs: 50 },
      { kind: 'addressed', address: moved, atMs: 60 },
    ]
    expect(effects([welcomed(700), compared(true), ...events]).slice(2)).toEqual([
      '→ close reason the master has moved',
      '→ connect address {host:10.0.0.2,port:10912}',
    ])
  })
})
