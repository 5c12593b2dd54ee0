/**
 * What may go wrong with a whole cluster: every kind of fault comes up, those that a mode does not
 * promise to survive are kept out where they are to be, and all is over when the load ends.
 */
import {
  drawMode,
  FAULT_KINDS,
  type Loss,
  mayBeLost,
  planReplicas,
  type ReplicaFault,
  SimRandom,
} from '@rockhopper/sim'
import { expect, test } from 'vitest'

const LOAD_MS = 8_000
const SEEDS = 400

const plans = Array.from({ length: SEEDS }, (_, seed) => {
  const random = new SimRandom(seed)
  const mode = drawMode(random)
  const ids = Array.from({ length: 1 + mode.slavesPerMaster }, (__, brokerId) => brokerId)
  const brokers = new Map(['a', 'b'].map((name) => [name, ids.map((id) => `broker-${name}-${id}`)]))
  const clients = { producers: ['producer-1'], consumers: ['consumer-1', 'consumer-2'] }
  const targets = { nameServers: ['namesrv-1'], brokers, ...clients }
  return { mode, brokers, ...planReplicas(random, { loadMs: LOAD_MS, mode, targets }) }
})

test(`every kind of fault comes up in ${SEEDS} seeds, each more than once`, () => {
  const kinds = plans.flatMap(({ faults }) => faults.map(({ kind }) => kind))
  for (const kind of FAULT_KINDS) {
    expect([kind, kinds.filter((each) => each === kind).length > 1]).toEqual([kind, true])
  }
})

test('faults come in their order, and all are over before the load is', () => {
  for (const { faults } of plans) {
    const begins = faults.map(({ fromMs }) => fromMs)
    expect(begins.toSorted((one, other) => one - other)).toEqual(begins)
    expect(faults.every(({ fromMs, untilMs }) => fromMs < untilMs && untilMs < LOAD_MS)).toBe(true)
  }
})

test('what a mode does not promise to survive is planned only where that is said', () => {
  let beyond = 0
  for (const { brokers, faults, isWithinPromise, mode } of plans) {
    const isTooMuch = [...brokers].some(([brokerName, hosts]) => {
      return mayBeLost(
        mode,
        faults.flatMap((fault) => lossesOf(fault, brokerName, hosts)),
      )
    })
    if (isTooMuch) beyond += 1
    expect(isTooMuch && isWithinPromise).toBe(false)
  }
  expect(beyond).toBeGreaterThan(10)
})

/** What the machines of a broker name forget by a fault. */
function lossesOf(
  { host, kind }: ReplicaFault,
  brokerName: string,
  hosts: readonly string[],
): Loss[] {
  if (!hosts.includes(host)) return []
  const loss = { brokerName, atMs: 0, brokerId: hosts.indexOf(host) }
  if (kind.endsWith('disk-loss')) return [{ ...loss, kind: 'disk' }]
  if (kind === 'blackout') return hosts.map((_, brokerId) => ({ ...loss, brokerId, kind: 'power' }))
  return kind.endsWith('power-loss') ? [{ ...loss, kind: 'power' }] : []
}
