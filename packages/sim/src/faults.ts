/**
 * How each kind of fault is brought about and mended. A table: what it is called, what is done when
 * it begins, and what when it is over. Owns nothing; it acts on the cluster and its clients.
 */
import { BROKER, NAME_SERVER, type SimCluster } from './cluster.ts'
import type { ConsumerApp } from './consumer-app.ts'
import type { DiskFault } from './disk-faults.ts'
import type { Fault, FaultKind } from './fault-plan.ts'
import type { ProducerApp } from './producer-app.ts'
import type { SimWorld } from './world.ts'

/** Everything that faults can hit. */
export interface Stage {
  readonly world: SimWorld
  readonly cluster: SimCluster
  readonly producers: readonly ProducerApp[]
  readonly consumers: readonly ConsumerApp[]
  /** Lets an application run; what it rejects with is a bug. */
  readonly launch: (running: Promise<void>) => void
}

interface Performance {
  /** What happens, as the story tells it. */
  readonly began: (stage: Stage, fault: Fault) => string
  readonly begin: (stage: Stage, fault: Fault) => void
  readonly ended: (stage: Stage, fault: Fault) => string
  readonly end: (stage: Stage, fault: Fault) => void
}

/** A watcher kills the process after at most so many calls of the disk. */
const MAX_CALLS_BEFORE_KILL = 60
const MAX_CALLS_BEFORE_ERROR = 5

const brokerDown = (began: string, begin: (stage: Stage, fault: Fault) => void): Performance => ({
  began: () => began,
  begin,
  ended: () => 'the broker is started again',
  end: ({ cluster }) => cluster.broker.start(),
})

const nameServerDown = (began: string, begin: (stage: Stage) => void): Performance => ({
  began: () => began,
  begin,
  ended: () => 'the name server is started again',
  end: ({ cluster }) => cluster.nameServer.start(),
})

const consumerDown = (
  began: string,
  begin: (consumer: ConsumerApp, stage: Stage) => void,
): Performance => ({
  began: (stage, fault) => `${consumerOf(stage, fault).host.name} ${began}`,
  begin: (stage, fault) => begin(consumerOf(stage, fault), stage),
  ended: (stage, fault) => `${consumerOf(stage, fault).host.name} joins again`,
  end: (stage, fault) => stage.launch(consumerOf(stage, fault).join()),
})

const PERFORMANCES: Readonly<Record<FaultKind, Performance>> = {
  'broker-kill': brokerDown('the broker is killed', ({ cluster }) => cluster.broker.kill()),
  'broker-kill-in-call': {
    ...brokerDown('the broker is killed within a call of its disk', killInCall),
    end({ cluster }) {
      // The calls may not have come.
      cluster.broker.host.disk.clearFaults()
      cluster.broker.kill()
      cluster.broker.start()
    },
  },
  'broker-power-loss': brokerDown("the broker's machine loses power", ({ cluster }) =>
    cluster.broker.crash(),
  ),
  'broker-stop': brokerDown('the broker is stopped in order', ({ cluster, launch }) =>
    launch(cluster.broker.stop()),
  ),
  'clock-jump': {
    began: (_, fault) => `all wall clocks jump by ${jumpMs(fault)} ms`,
    begin: ({ world }, fault) => world.clock.jumpWall(jumpMs(fault)),
    ended: () => 'all wall clocks jump back',
    end: ({ world }, fault) => world.clock.jumpWall(-jumpMs(fault)),
  },
  'disk-error': {
    began: (_, fault) => `a ${failingCall(fault)} of the commit log meets an error of the device`,
    begin: ({ cluster }, fault) => cluster.broker.host.disk.fail(errorOf(fault)),
    ended: () => "the broker's disk has no more errors",
    end: ({ cluster }) => cluster.broker.host.disk.clearFaults(),
  },
  'disk-slow': {
    began: (_, fault) => `each sync of the broker's disk takes up to ${slowSyncMs(fault)} ms`,
    begin({ cluster }, fault) {
      cluster.broker.host.disk.syncDelay = [0, slowSyncMs(fault)]
      cluster.broker.host.disk.readDelay = [0, 20]
    },
    ended: () => "the broker's disk is quick again",
    end({ cluster }) {
      cluster.broker.host.disk.syncDelay = [0.2, 0.5]
      cluster.broker.host.disk.readDelay = [0.05, 0.1]
    },
  },
  'disk-short': {
    began: () => "calls of the broker's disk take less than is offered",
    begin: ({ cluster }) => setShortCalls(cluster, 0.5),
    ended: () => "calls of the broker's disk take all again",
    end: ({ cluster }) => setShortCalls(cluster, 0),
  },
  'disk-full': {
    began: () => "the broker's disk is full",
    begin: ({ cluster }) => cluster.broker.host.disk.setCapacity(0),
    ended: () => "the broker's disk has room again",
    end: ({ cluster }) => cluster.broker.host.disk.setCapacity(ROOMY_BYTES),
  },
  'name-server-kill': nameServerDown('the name server is killed', ({ cluster }) =>
    cluster.nameServer.kill(),
  ),
  'name-server-power-loss': nameServerDown("the name server's machine loses power", ({ cluster }) =>
    cluster.nameServer.crash(),
  ),
  'network-cut': {
    began(stage, fault) {
      const [some, others, isOneWay] = sidesOf(stage, fault)
      return `nothing gets from ${some} to ${others}${isOneWay ? '' : ', nor back'}`
    },
    begin(stage, fault) {
      const [some, others, isOneWay] = sidesOf(stage, fault)
      stage.world.network.cutOneWay(some, others)
      if (!isOneWay) stage.world.network.cutOneWay(others, some)
    },
    ended: () => 'the network is whole again',
    end: ({ world }) => world.network.heal(),
  },
  'network-slow': {
    began: (_, fault) => `the network takes up to ${slowNetworkMs(fault)} ms`,
    begin({ world }, fault) {
      world.network.latency = [1, slowNetworkMs(fault)]
    },
    ended: () => 'the network is quick again',
    end({ world }) {
      world.network.latency = [0.1, 1]
    },
  },
  'producer-kill': {
    began: (stage, fault) => `${producerOf(stage, fault).host.name} is killed`,
    begin: (stage, fault) => producerOf(stage, fault).host.kill(),
    ended: (stage, fault) => `${producerOf(stage, fault).host.name} is started again`,
    end: (stage, fault) => stage.launch(producerOf(stage, fault).run()),
  },
  'consumer-kill': consumerDown('is killed', (consumer) => consumer.kill()),
  'consumer-power-loss': consumerDown('loses power', (consumer) => consumer.crash()),
  'consumer-leave': consumerDown('leaves the group', (consumer, { launch }) =>
    launch(consumer.leave()),
  ),
}

const ROOMY_BYTES = 100 * 2 ** 30

/** Brings a fault about; gives back what the story says of it. */
export function begin(stage: Stage, fault: Fault): string {
  const performance = PERFORMANCES[fault.kind]
  const sentence = performance.began(stage, fault)
  performance.begin(stage, fault)
  return sentence
}

/** Mends it. */
export function end(stage: Stage, fault: Fault): string {
  const performance = PERFORMANCES[fault.kind]
  const sentence = performance.ended(stage, fault)
  performance.end(stage, fault)
  return sentence
}

function killInCall({ cluster: { broker } }: Stage, { chance }: Fault): void {
  let callsLeft = 1 + (chance % MAX_CALLS_BEFORE_KILL)
  broker.host.disk.watch(() => {
    callsLeft -= 1
    if (callsLeft === 0) broker.kill()
  })
}

function setShortCalls(cluster: SimCluster, chance: number): void {
  cluster.broker.host.disk.shortCallChance = chance
}

function jumpMs({ chance }: Fault): number {
  return [-3_600_000, -500, 500, 3_600_000][chance % 4] ?? 0
}

function failingCall({ chance }: Fault): 'sync' | 'write' {
  return chance % 2 === 0 ? 'sync' : 'write'
}

function errorOf(fault: Fault): DiskFault {
  const onCall = 1 + ((fault.chance >>> 1) % MAX_CALLS_BEFORE_ERROR)
  return { operation: failingCall(fault), pathIncludes: 'commitlog', onCall, code: 'EIO' }
}

function slowSyncMs({ chance }: Fault): number {
  return [20, 200, 2_000, 8_000][chance % 4] ?? 20
}

function slowNetworkMs({ chance }: Fault): number {
  return [20, 200, 1_000][chance % 3] ?? 20
}

/** The two hosts between which the wire is cut, and whether one way stays open. */
function sidesOf(stage: Stage, { chance }: Fault): [string, string, boolean] {
  const clients = [...stage.producers, ...stage.consumers].map(({ host }) => host.name)
  const others = chance % 4 === 0 ? [NAME_SERVER] : [BROKER]
  const pairs = [
    [BROKER, NAME_SERVER] as const,
    ...clients.flatMap((client) => others.map((other) => [client, other] as const)),
  ]
  const [some, other] = pairs[(chance >>> 3) % pairs.length] ?? [BROKER, NAME_SERVER]
  const isOneWay = ((chance >>> 2) & 1) === 1
  return ((chance >>> 12) & 1) === 1 ? [other, some, isOneWay] : [some, other, isOneWay]
}

function producerOf({ producers }: Stage, fault: Fault): ProducerApp {
  return chosen(producers, fault)
}

function consumerOf({ consumers }: Stage, fault: Fault): ConsumerApp {
  return chosen(consumers, fault)
}

function chosen<T>(list: readonly T[], { chance }: Fault): T {
  const one = list[chance % list.length]
  if (one === undefined) throw new RangeError('there is nobody for the fault to hit')
  return one
}
