/**
 * What happens to the network of a cluster and its clients, pattern by pattern: which packets are lost,
 * in which direction, and whether for a while or again and again. Pure: it owns nothing.
 */

/** Machines of the network, each with one process. */
export const HOSTS = [
  'namesrv-1',
  'namesrv-2',
  'broker-a',
  'broker-a-s',
  'broker-b',
  'broker-b-s',
  'producer',
  'consumer',
] as const
export type HostName = (typeof HOSTS)[number]

/** Packets from one machine to another one. */
export interface Way {
  readonly from: HostName
  readonly to: HostName
}

/** How long the ways are cut and whole by turns, in ms. */
export interface Flap {
  readonly cutMs: number
  readonly wholeMs: number
}

export interface Pattern {
  /** What is cut, as the report says it. */
  readonly name: string
  readonly ways: readonly Way[]
  /** Machines whose cables are slow: what they send waits, and what does not fit is lost. */
  readonly slowed?: readonly HostName[]
  /** Undefined: the ways stay cut until they are healed. Else the turns, one after the other. */
  readonly flaps?: readonly Flap[]
}

const NAME_SERVERS: readonly HostName[] = ['namesrv-1', 'namesrv-2']
const CLIENTS: readonly HostName[] = ['producer', 'consumer']
const SIDE_A: readonly HostName[] = ['namesrv-1', 'broker-a', 'broker-a-s', 'producer']

/** Of different lengths, so that the retries of TCP and of ours are met at different points. */
const FLAPS: readonly Flap[] = [
  { cutMs: 300, wholeMs: 200 },
  { cutMs: 1_200, wholeMs: 400 },
  { cutMs: 3_000, wholeMs: 500 },
  { cutMs: 700, wholeMs: 50 },
]

export const PATTERNS: readonly Pattern[] = [
  { name: 'a master from its slave', ways: between(['broker-a'], ['broker-a-s']) },
  { name: 'a slave from everyone', ways: alone('broker-a-s') },
  { name: 'a master from everyone', ways: alone('broker-a') },
  { name: 'a master from the name servers', ways: between(['broker-a'], NAME_SERVERS) },
  { name: 'the clients from a master', ways: between(CLIENTS, ['broker-a']) },
  { name: 'the clients from the name servers', ways: between(CLIENTS, NAME_SERVERS) },
  { name: 'one half from the other', ways: between(SIDE_A, others(SIDE_A)) },
  { name: 'one way, a master to its slave', ways: oneWay(['broker-a'], ['broker-a-s']) },
  { name: 'one way, a slave to its master', ways: oneWay(['broker-a-s'], ['broker-a']) },
  { name: 'one way, the clients to a master', ways: oneWay(CLIENTS, ['broker-a']) },
  {
    name: 'a master from its slave, flapping',
    ways: between(['broker-a'], ['broker-a-s']),
    flaps: FLAPS,
  },
  { name: 'everyone from everyone, flapping', ways: oneWay(HOSTS, HOSTS), flaps: FLAPS },
  { name: 'nobody, but every cable is slow and loses packets', ways: [], slowed: HOSTS },
]

/** The turns of a pattern over a time: when what is cut is healed, and cut again, in ms from the start. */
export function turnsOf({ flaps }: Pattern, lengthMs: number): readonly number[] {
  if (flaps === undefined) return []
  const turns: number[] = []
  for (let at = 0, turn = 0; ; turn++) {
    const { cutMs, wholeMs } = flaps[turn % flaps.length] ?? { cutMs: lengthMs, wholeMs: 0 }
    if (at + cutMs + wholeMs >= lengthMs) return turns
    turns.push(at + cutMs, at + cutMs + wholeMs)
    at += cutMs + wholeMs
  }
}

function oneWay(senders: readonly HostName[], receivers: readonly HostName[]): Way[] {
  return senders.flatMap((from) => {
    return receivers.flatMap((to) => (from === to ? [] : [{ from, to }]))
  })
}

function between(some: readonly HostName[], others: readonly HostName[]): Way[] {
  return [...oneWay(some, others), ...oneWay(others, some)]
}

function alone(host: HostName): Way[] {
  return between([host], others([host]))
}

function others(some: readonly HostName[]): HostName[] {
  return HOSTS.filter((host) => !some.includes(host))
}
