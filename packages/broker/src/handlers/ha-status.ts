/**
 * GET_BROKER_HA_STATUS: how far the slaves of a master are, or where a slave is. How fast bytes go is
 * what went between two questions.
 * Source: Apache class AdminBrokerProcessor; `replication.md` section 14.
 */
import type { Clock } from '@rockhopper/host'
import { encodeHaStatus, GET_BROKER_HA_STATUS, type HaStatus } from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'

export interface HaStatusParts {
  readonly clock: Clock
  readonly replication: { readonly status: HaStatus }
}

/** Where each peer was when somebody asked last. */
interface Before {
  readonly atMs: number
  readonly offsets: ReadonlyMap<string, number>
}

export function handleHaStatus(router: Router, { clock, replication }: HaStatusParts): void {
  let before: Before = { atMs: clock.monotonicMs(), offsets: new Map() }
  router.on(GET_BROKER_HA_STATUS, () => {
    const { status } = replication
    const now = { atMs: clock.monotonicMs(), offsets: offsetsOf(status) }
    const body = [encodeHaStatus(withSpeeds(status, before, now))]
    before = now
    return { body }
  })
}

function offsetsOf(status: HaStatus): Map<string, number> {
  if (status.role === 'slave') return new Map([['', status.following.maxOffset]])
  return new Map(status.slaves.map(({ addr, transferFromWhere }) => [addr, transferFromWhere]))
}

function withSpeeds(status: HaStatus, before: Before, now: Before): HaStatus {
  const speedOf = (peer: string): number => {
    const [from, to] = [before.offsets.get(peer), now.offsets.get(peer)]
    const seconds = (now.atMs - before.atMs) / 1_000
    return from === undefined || to === undefined || seconds <= 0
      ? 0
      : Math.round(Math.max(0, to - from) / seconds)
  }
  if (status.role === 'slave') {
    const following = { ...status.following, transferredByteInSecond: speedOf('') }
    return { ...status, following }
  }
  const slaves = status.slaves.map((slave) => {
    return { ...slave, transferredByteInSecond: speedOf(slave.addr) }
  })
  return { ...status, slaves }
}
