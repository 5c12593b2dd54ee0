/**
 * How each kind of fault is brought over masters and slaves, and mended. A table: what it is called,
 * what is done when it begins, and what when it is over. Owns nothing; it acts on the cluster.
 */
import type { DelayRange } from '../delay.ts'
import type { DiskFault } from '../disk-faults.ts'
import type { SimHost } from '../host.ts'
import type { ServerProcess } from '../server-process.ts'
import type { SimWorld } from '../world.ts'
import type { ReplicaBroker, ReplicaCluster } from './replica-cluster.ts'
import type { ReplicaConsumer } from './replica-consumer.ts'
import type { ReplicaHistory } from './replica-history.ts'
import type { LossKind } from './replica-mode.ts'
import type { ReplicaFault, ReplicaFaultKind } from './replica-plan.ts'
import type { ReplicaProducer } from './replica-producer.ts'

/** Everything that faults can hit. */
export interface ReplicaStage {
  readonly world: SimWorld
  readonly cluster: ReplicaCluster
  readonly history: ReplicaHistory
  readonly producers: readonly ReplicaProducer[]
  readonly consumers: readonly ReplicaConsumer[]
  /** Lets something run; what it rejects with is a bug. */
  readonly launch: (running: Promise<void>) => void
}

interface Performance {
  /** What happens, as the story tells it. */
  readonly began: (fault: ReplicaFault, stage: ReplicaStage) => string
  readonly begin: (stage: ReplicaStage, fault: ReplicaFault) => void
  readonly ended: (fault: ReplicaFault) => string
  readonly end: (stage: ReplicaStage, fault: ReplicaFault) => void
}

/** A watcher kills the process after at most so many calls of the disk. */
const MAX_CALLS_BEFORE_KILL = 40
const MAX_CALLS_BEFORE_ERROR = 5
const ROOMY_BYTES = 100 * 2 ** 30
const FLAP_MS = 300
const BLACKOUT_MS = 300

const down = (
  what: string,
  begin: (broker: ReplicaBroker, stage: ReplicaStage, fault: ReplicaFault) => void,
): Performance => ({
  began: ({ host }) => `${host} ${what}`,
  begin: (stage, fault) => begin(brokerOf(stage, fault), stage, fault),
  ended: ({ host }) => `${host} is started again`,
  end: (stage, fault) => brokerOf(stage, fault).process.start(),
})

/** While its slaves cannot be reached: they have nothing of what it stores then. */
const parted = (
  what: string,
  lose: (stage: ReplicaStage, master: ReplicaBroker) => void,
): Performance => ({
  began: ({ host }) => `${host} is cut off from its slaves, then ${what}`,
  begin(stage, fault) {
    const [master, ...slaves] = familyOf(stage, fault)
    if (master === undefined) return
    const names = slaves.map(({ process }) => process.host.name)
    stage.world.network.partition([fault.host], names)
    stage.world.clock.after(shareOf(fault, 0.7), () => lose(stage, master))
  },
  ended: ({ host }) => `${host} is started again, and reaches its slaves`,
  end(stage, fault) {
    for (const { process } of familyOf(stage, fault)) {
      if (process.host.name !== fault.host) stage.world.network.mend(fault.host, process.host.name)
    }
    brokerOf(stage, fault).process.start()
  },
})

const server = (what: string, begin: (process: ServerProcess) => void): Performance => ({
  began: ({ host }) => `${host} ${what}`,
  begin: (stage, { host }) => begin(nameServerOf(stage, host)),
  ended: ({ host }) => `${host} is started again`,
  end: (stage, { host }) => nameServerOf(stage, host).start(),
})

const disk = (
  began: (fault: ReplicaFault) => string,
  begin: (process: ServerProcess, fault: ReplicaFault) => void,
): Performance => ({
  began,
  begin: (stage, fault) => begin(brokerOf(stage, fault).process, fault),
  ended: ({ host }) => `the disk of ${host} is well again`,
  end: (stage, fault) => healDisk(brokerOf(stage, fault).process),
})

const wires = (
  began: (fault: ReplicaFault, stage: ReplicaStage) => string,
  begin: (stage: ReplicaStage, fault: ReplicaFault) => void,
): Performance => ({
  began,
  begin,
  ended: ({ host }) => `${host} is reached again`,
  end: (stage, fault) => {
    for (const other of othersOf(stage, fault.host)) stage.world.network.mend(fault.host, other)
  },
})

/** What befalls the whole network, and how it is as before. */
const network = (
  began: (fault: ReplicaFault) => string,
  begin: (stage: ReplicaStage, fault: ReplicaFault) => void,
): Performance => ({
  began,
  begin,
  ended: () => 'the network is quick again',
  end({ world }) {
    world.network.latency = [0.1, 1]
    world.network.lossChance = 0
  },
})

const PAUSED: Performance = {
  began: ({ host }) => `${host} stands still`,
  begin: ({ world }, { host }) => world.host(host).pause(),
  ended: ({ host }) => `${host} goes on`,
  end: ({ world }, { host }) => world.host(host).resume(),
}

const CLIENT_CUT = wires(
  ({ host }) => `${host} is cut off from all servers`,
  ({ cluster, world }, { host }) => world.network.partition([host], cluster.hostNames),
)

const consumerDown = (
  what: string,
  begin: (consumer: ReplicaConsumer, stage: ReplicaStage) => void,
): Performance => ({
  began: ({ host }) => `${host} ${what}`,
  begin: (stage, fault) => begin(clientOf(stage.consumers, fault), stage),
  ended: ({ host }) => `${host} joins again`,
  end: (stage, fault) => stage.launch(clientOf(stage.consumers, fault).join()),
})

const PERFORMANCES: Readonly<Record<ReplicaFaultKind, Performance>> = {
  kill: down('is killed', ({ process }) => process.kill()),
  'kill-in-call': {
    ...down('is killed within a call of its disk', ({ process }, _, fault) => {
      killInCall(process, fault)
    }),
    end(stage, fault) {
      const { process } = brokerOf(stage, fault)
      // The calls may not have come.
      process.host.disk.clearFaults()
      process.kill()
      process.start()
    },
  },
  'power-loss': down('loses power', (broker, stage) => losePower(stage, broker)),
  'disk-loss': down('loses its disk', (broker, stage) => loseDisk(stage, broker)),
  'parted-power-loss': parted('loses power', (stage, master) => losePower(stage, master)),
  'parted-disk-loss': parted('loses its disk', (stage, master) => loseDisk(stage, master)),
  'lone-power-loss': {
    began: ({ host }) => `${host} loses power, and comes back while its slaves are away`,
    begin(stage, fault) {
      const [master, ...slaves] = familyOf(stage, fault)
      if (master === undefined) return
      losePower(stage, master)
      for (const { process } of slaves) process.kill()
      stage.world.clock.after(shareOf(fault, 0.2), () => master.process.start())
    },
    ended: ({ host }) => `the slaves of ${host} are started again`,
    end(stage, fault) {
      for (const { brokerId, process } of familyOf(stage, fault)) if (brokerId > 0) process.start()
    },
  },
  blackout: {
    began: ({ host }) =>
      `the disks of ${host} and its slaves get slow, then all lose power at once`,
    begin(stage, fault) {
      const family = familyOf(stage, fault)
      for (const { process } of family) process.host.disk.syncDelay = [BLACKOUT_MS, 2 * BLACKOUT_MS]
      stage.world.clock.after(Math.min(BLACKOUT_MS, shareOf(fault, 0.7)), () => {
        for (const broker of family) losePower(stage, broker)
        for (const { process } of family) healDisk(process)
      })
    },
    ended: ({ host }) => `${host} and its slaves are started again`,
    end(stage, fault) {
      for (const { process } of familyOf(stage, fault)) process.start()
    },
  },
  stop: down('is stopped in order', ({ process }, { launch }) => launch(process.stop())),
  pause: PAUSED,
  'disk-slow': disk(
    (fault) => `each sync of the disk of ${fault.host} takes up to ${slowSyncMs(fault)} ms`,
    ({ host }, fault) => {
      host.disk.syncDelay = [0, slowSyncMs(fault)]
      host.disk.readDelay = [0, 20]
    },
  ),
  'disk-short': disk(
    ({ host }) => `calls of the disk of ${host} take less than is offered`,
    ({ host }) => {
      host.disk.shortCallChance = 0.5
    },
  ),
  'disk-full': disk(
    ({ host }) => `the disk of ${host} is full`,
    ({ host }) => host.disk.setCapacity(0),
  ),
  'disk-error': disk(
    (fault) => `a ${failingCall(fault)} of the log of ${fault.host} meets an error of the device`,
    ({ host }, fault) => host.disk.fail(errorOf(fault)),
  ),
  cut: wires(
    (fault, stage) => `nothing gets from ${fault.host} to ${otherOf(stage, fault)}, nor back`,
    (stage, fault) => stage.world.network.partition([fault.host], [otherOf(stage, fault)]),
  ),
  'cut-one-way': wires(
    (fault, stage) => `nothing gets from ${waysOf(stage, fault).join(' to ')}`,
    (stage, fault) => stage.world.network.cutOneWay(...waysOf(stage, fault)),
  ),
  flapping: wires(
    (fault, stage) => `${fault.host} reaches ${otherOf(stage, fault)} now and then`,
    flap,
  ),
  isolated: wires(
    ({ host }) => `${host} is cut off from all`,
    (stage, { host }) => stage.world.network.partition([host], othersOf(stage, host)),
  ),
  split: {
    began: (fault, stage) => `all machines but ${sideOf(stage, fault).join(', ')} are cut off`,
    begin(stage, fault) {
      const side = sideOf(stage, fault)
      stage.world.network.partition(side, withoutSide(stage, side))
    },
    ended: () => 'all machines reach each other again',
    end(stage, fault) {
      const side = sideOf(stage, fault)
      for (const other of withoutSide(stage, side)) {
        for (const one of side) stage.world.network.mend(one, other)
      }
    },
  },
  reset: {
    began: (fault, stage) => `connections of ${fault.host} with ${otherOf(stage, fault)} break`,
    begin: (stage, fault) => stage.world.network.reset(fault.host, otherOf(stage, fault)),
    ended: ({ host }) => `all connections of ${host} break`,
    end(stage, { host }) {
      for (const other of othersOf(stage, host)) stage.world.network.reset(host, other)
    },
  },
  'slow-wires': network(
    (fault) => `the network takes up to ${slowNetworkMs(fault)} ms`,
    ({ world }, fault) => {
      world.network.latency = [0.1, slowNetworkMs(fault)]
    },
  ),
  'lossy-wires': network(
    (fault) => `the network loses ${100 * lossOf(fault)} % of what is sent`,
    ({ world }, fault) => {
      world.network.lossChance = lossOf(fault)
    },
  ),
  'uneven-wires': {
    began: (fault) => `some ways to and from ${fault.host} take ${slowNetworkMs(fault)} ms`,
    begin: (stage, fault) =>
      setWays(stage, fault, [slowNetworkMs(fault), 1 + slowNetworkMs(fault)]),
    ended: ({ host }) => `all ways to and from ${host} are alike again`,
    end: (stage, fault) => setWays(stage, fault, undefined),
  },
  'clock-jump': {
    began: (fault) => `all wall clocks jump by ${jumpMs(fault)} ms`,
    begin: ({ world }, fault) => world.clock.jumpWall(jumpMs(fault)),
    ended: () => 'all wall clocks jump back',
    end: ({ world }, fault) => world.clock.jumpWall(-jumpMs(fault)),
  },
  'lone-clock-jump': {
    began: (fault) => `the wall clock of ${fault.host} jumps by ${jumpMs(fault)} ms`,
    begin: ({ world }, fault) => world.host(fault.host).jumpClock(jumpMs(fault)),
    ended: ({ host }) => `the wall clock of ${host} jumps back`,
    end: ({ world }, fault) => world.host(fault.host).jumpClock(-jumpMs(fault)),
  },
  'name-server-kill': server('is killed', (process) => process.kill()),
  'name-server-power-loss': server('loses power', (process) => process.crash()),
  'name-server-pause': PAUSED,
  'producer-kill': {
    began: ({ host }) => `${host} is killed`,
    begin: ({ producers }, fault) => clientOf(producers, fault).host.kill(),
    ended: ({ host }) => `${host} is started again`,
    end: ({ launch, producers }, fault) => launch(clientOf(producers, fault).run()),
  },
  'producer-pause': PAUSED,
  'producer-cut': CLIENT_CUT,
  'consumer-kill': consumerDown('is killed', (consumer) => consumer.kill()),
  'consumer-leave': consumerDown('leaves the group', (consumer, { launch }) =>
    launch(consumer.leave()),
  ),
  'consumer-pause': PAUSED,
  'consumer-cut': CLIENT_CUT,
  'consumer-power-loss': consumerDown('loses power', (consumer) => consumer.crash()),
}

/** Brings a fault about; gives back what the story says of it. */
export function beginFault(stage: ReplicaStage, fault: ReplicaFault): string {
  const performance = PERFORMANCES[fault.kind]
  const sentence = performance.began(fault, stage)
  if (!CALM.has(fault.kind)) disturb(stage, fault)
  performance.begin(stage, fault)
  return sentence
}

/** What delays brokers without keeping anything from them, so that commits go on as they were. */
const CALM: ReadonlySet<ReplicaFaultKind> = new Set([
  ...(['disk-slow', 'disk-short', 'clock-jump', 'lone-clock-jump'] as const),
  ...(['name-server-kill', 'name-server-power-loss', 'name-server-pause'] as const),
  ...(['producer-kill', 'producer-pause', 'producer-cut'] as const),
])

/** What befalls consumers, or the network, disturbs all brokers. */
function disturb({ cluster, history }: ReplicaStage, fault: ReplicaFault): void {
  const hit = cluster.brokers.filter(({ process }) => process.host.name === fault.host)
  const names = (hit.length === 0 ? cluster.brokers : hit).map(({ brokerName }) => brokerName)
  for (const name of new Set(names)) history.disturb(name, fault.untilMs - fault.fromMs)
}

/** Mends it. */
export function endFault(stage: ReplicaStage, fault: ReplicaFault): string {
  const performance = PERFORMANCES[fault.kind]
  performance.end(stage, fault)
  return performance.ended(fault)
}

function losePower(stage: ReplicaStage, broker: ReplicaBroker): void {
  tell(stage, broker, 'power')
  broker.process.crash()
}

function loseDisk(stage: ReplicaStage, broker: ReplicaBroker): void {
  tell(stage, broker, 'disk')
  broker.process.crash()
  wipe(broker.process)
}

/** A part of the time that a fault takes. */
function shareOf({ fromMs, untilMs }: ReplicaFault, share: number): number {
  return share * (untilMs - fromMs)
}

function tell({ history }: ReplicaStage, broker: ReplicaBroker, kind: LossKind): void {
  const { brokerId, brokerName } = broker
  history.lose({ brokerId, brokerName, kind })
}

function wipe({ host: { disk } }: ServerProcess): void {
  for (const name of disk.list('/')) disk.remove(`/${name}`)
  disk.makeDurable()
}

function healDisk({ host }: ServerProcess): void {
  host.disk.clearFaults()
  host.disk.syncDelay = [0.2, 0.5]
  host.disk.readDelay = [0.05, 0.1]
  host.disk.shortCallChance = 0
  host.disk.setCapacity(ROOMY_BYTES)
}

function killInCall(process: ServerProcess, { chance }: ReplicaFault): void {
  let callsLeft = 1 + (chance % MAX_CALLS_BEFORE_KILL)
  process.host.disk.watch(() => {
    callsLeft -= 1
    if (callsLeft === 0) process.kill()
  })
}

/** Cut and whole by turns, a few times a second. */
function flap(stage: ReplicaStage, fault: ReplicaFault): void {
  const { clock, network } = stage.world
  const other = otherOf(stage, fault)
  const lengthMs = fault.untilMs - fault.fromMs
  for (let atMs = 0, turn = 0; atMs < lengthMs; turn += 1) {
    const isCut = turn % 2 === 0
    clock.after(atMs, () => {
      if (isCut) network.partition([fault.host], [other])
      else network.mend(fault.host, other)
    })
    atMs += 20 + ((fault.chance >>> (turn % 20)) % FLAP_MS)
  }
}

function jumpMs({ chance }: ReplicaFault): number {
  return [-3_600_000, -700, 700, 3_600_000][chance % 4] ?? 0
}

function failingCall({ chance }: ReplicaFault): 'sync' | 'write' {
  return chance % 2 === 0 ? 'sync' : 'write'
}

function errorOf(fault: ReplicaFault): DiskFault {
  const onCall = 1 + ((fault.chance >>> 1) % MAX_CALLS_BEFORE_ERROR)
  return { operation: failingCall(fault), pathIncludes: 'commitlog', onCall, code: 'EIO' }
}

function slowSyncMs({ chance }: ReplicaFault): number {
  return [20, 200, 1_000, 3_000][chance % 4] ?? 20
}

function slowNetworkMs({ chance }: ReplicaFault): number {
  return [20, 100, 400][chance % 3] ?? 20
}

function lossOf({ chance }: ReplicaFault): number {
  return [0.05, 0.2, 0.5][chance % 3] ?? 0.05
}

/** The other end of a wire that is cut: most often that between a master and its slaves. */
function otherOf(stage: ReplicaStage, fault: ReplicaFault): string {
  const family = familyOf(stage, fault)
    .map(({ process }) => process.host.name)
    .filter((name) => name !== fault.host)
  const all = othersOf(stage, fault.host)
  const list = fault.chance % 3 === 0 || family.length === 0 ? all : family
  return list[(fault.chance >>> 3) % list.length] ?? ''
}

function waysOf(stage: ReplicaStage, fault: ReplicaFault): [string, string] {
  const other = otherOf(stage, fault)
  return ((fault.chance >>> 12) & 1) === 1 ? [fault.host, other] : [other, fault.host]
}

function othersOf(stage: ReplicaStage, host: string): string[] {
  return machinesOf(stage).filter((name) => name !== host)
}

function machinesOf({ cluster, consumers, producers }: ReplicaStage): readonly string[] {
  const clients: readonly { readonly host: SimHost }[] = [...producers, ...consumers]
  return [...cluster.hostNames, ...clients.map(({ host }) => host.name)]
}

/** About half of the machines. */
function sideOf(stage: ReplicaStage, { chance, host }: ReplicaFault): readonly string[] {
  return machinesOf(stage).filter((name, index) => name === host || ((chance >>> index) & 1) === 1)
}

function withoutSide(stage: ReplicaStage, side: readonly string[]): readonly string[] {
  return machinesOf(stage).filter((name) => !side.includes(name))
}

/** About half of the ways to and from a machine. */
function setWays(stage: ReplicaStage, fault: ReplicaFault, latency: DelayRange | undefined): void {
  const { network } = stage.world
  for (const [index, other] of othersOf(stage, fault.host).entries()) {
    if (((fault.chance >>> (2 * index)) & 1) === 1) network.setWay(fault.host, other, latency)
    if (((fault.chance >>> (2 * index + 1)) & 1) === 1) network.setWay(other, fault.host, latency)
  }
}

function clientOf<T extends { readonly host: SimHost }>(
  clients: readonly T[],
  { host }: ReplicaFault,
): T {
  const found = clients.find((client) => client.host.name === host)
  if (found === undefined) throw new RangeError(`there is no application on "${host}"`)
  return found
}

/** A master and its slaves. */
function familyOf(stage: ReplicaStage, fault: ReplicaFault): readonly ReplicaBroker[] {
  const { brokerName } = brokerOf(stage, fault)
  return stage.cluster.brokers.filter((each) => each.brokerName === brokerName)
}

function brokerOf({ cluster }: ReplicaStage, { host }: ReplicaFault): ReplicaBroker {
  const broker = cluster.brokers.find(({ process }) => process.host.name === host)
  if (broker === undefined) throw new RangeError(`there is no broker on "${host}"`)
  return broker
}

function nameServerOf({ cluster }: ReplicaStage, host: string): ServerProcess {
  const found = cluster.nameServers.find(({ host: { name } }) => name === host)
  if (found === undefined) throw new RangeError(`there is no name server on "${host}"`)
  return found
}
