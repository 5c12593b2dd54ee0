/** Hosts of one world: what a death ends, what a restart finds, and that a seed repeats a run. */
import { DiskError, every, type Host, pause, type Stream } from '@rockhopper/host'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'

test('nothing of a killed process runs again: timers, pauses, syncs, connections', async () => {
  const world = createWorld(1)
  const host = world.host('a')
  const { clock, disk, network, logger } = host.doors
  const seen: string[] = []
  const note = (what: string) => (): void => void seen.push(what)
  disk.makeDirectory('/data')
  const file = disk.open('/data/a', 'create')
  clock.after(5, note('timer'))
  clock.soon(note('soon'))
  void pause(clock, 5).then(note('pause'))
  void file.syncData().then(note('sync'))
  void disk.syncDirectory('/data').then(note('folder sync'))
  void network.connect({ host: 'a', port: 1 }, 10).catch(note('refusal'))
  host.kill()
  clock.after(5, note('timer after death'))
  void disk.syncDirectory('/data').then(note('folder sync after death'))
  void network.connect({ host: 'a', port: 1 }, 10).catch(note('refusal after death'))
  void network.listen({ host: 'a', port: 1 }, () => {}).then(note('listening after death'))
  logger.error('Words after death.')
  await world.clock.advance(1000)
  expect(seen).toEqual([])
  expect(world.lines).toEqual([])
  expect(() => disk.list('/data')).toThrow(DiskError)
  expect(() => file.writeSync([Buffer.from('x')], 0)).toThrow(DiskError)
})

test('a restarted process finds what was written, its locks free and its port free', async () => {
  const world = createWorld(1)
  const host = world.host('a')
  const first = host.doors
  first.disk.makeDirectory('/data')
  first.disk.lock('/data')
  await first.network.listen({ host: 'a', port: 1 }, () => {})
  first.disk.open('/data/a', 'create').writeSync([Buffer.from('kept')], 0)
  expect(() => host.restart()).toThrow('runs already')
  host.kill()
  expect(host.running).toBe(false)
  const second = host.restart()
  expect(second).toBe(host.doors)
  expect(second.machine.pid).not.toBe(first.machine.pid)
  expect(second.machine.bootId).toBe(first.machine.bootId)
  second.disk.lock('/data')
  await second.network.listen({ host: 'a', port: 1 }, () => {})
  const target = Buffer.alloc(4)
  second.disk.open('/data/a', 'read').readSync(target, 0)
  expect(String(target)).toBe('kept')
  expect(() => first.disk.list('/')).toThrow('the process has ended')
})

test('a machine that lost power comes back with what was synced and a new boot id', async () => {
  const world = createWorld(1)
  const host = world.host('a')
  const { disk, machine } = host.doors
  disk.makeDirectory('/data')
  await world.clock.settle(disk.syncDirectory('/'))
  disk.makeDirectory('/data/lost')
  host.crash({ bytes: 'lost', names: 'lost' })
  const after = host.restart()
  expect(after.disk.list('/')).toEqual(['data'])
  expect(after.disk.list('/data')).toEqual([])
  expect(after.machine.bootId).not.toBe(machine.bootId)
})

test('hosts have addresses in order, clocks that differ as told, and one time', async () => {
  const world = createWorld(1, { startMs: 1000 })
  const ahead = world.host('ahead', { skewMs: 500 })
  const exact = world.host('exact')
  expect([ahead.ip, exact.ip]).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(world.host('ahead')).toBe(ahead)
  await world.clock.advance(10)
  expect(ahead.doors.clock.nowMs()).toBe(1510)
  expect(exact.doors.clock.nowMs()).toBe(1010)
  expect(ahead.doors.clock.monotonicMs()).toBe(10)
})

test('the wall clock of one machine jumps alone, also for a process that runs', () => {
  const world = createWorld(1, { startMs: 1000 })
  const [one, other] = [world.host('one').doors.clock, world.host('other').doors.clock]
  world.host('one').jumpClock(-300)
  expect([one.nowMs(), other.nowMs(), one.monotonicMs()]).toEqual([700, 1000, 0])
})

test('what processes say is kept with its time, its host and all its fields', async () => {
  const world = createWorld(1)
  const { logger } = world.host('a').doors
  await world.clock.advance(7)
  logger.child({ topic: 'orders' }).warn('The topic is full.', { queueId: 3 })
  expect(world.lines).toEqual([
    {
      atMs: 7,
      host: 'a',
      level: 'warn',
      sentence: 'The topic is full.',
      fields: { topic: 'orders', queueId: 3 },
    },
  ])
})

test('the chance of one host does not depend on what others draw', () => {
  const drawsOfB = (drawsOfA: number): number[] => {
    const world = createWorld(9)
    const a = world.host('a').doors.random
    const b = world.host('b').doors.random
    for (let i = 0; i < drawsOfA; i += 1) a.below(10)
    return Array.from({ length: 5 }, () => b.below(1000))
  }
  expect(drawsOfB(0)).toEqual(drawsOfB(100))
  expect(new Set(drawsOfB(0)).size).toBeGreaterThan(1)
})

/** A little system with all doors: a client asks, a server stores, syncs and answers. */
function startServer(host: Host): void {
  const { disk, network, clock, logger } = host
  disk.makeDirectory('/data')
  const file = disk.open('/data/log', 'create')
  let end = file.sizeBytes()
  const serve = (stream: Stream): void => {
    stream.attach({
      async data(chunk) {
        end += file.writeSync([chunk], end)
        await file.syncData()
        stream.write([Buffer.from(String(end))])
      },
      drained() {},
      closed: (cause) => logger.info('A client left.', { cause: cause?.message }),
    })
  }
  void network.listen({ host: '0.0.0.0', port: 1 }, serve)
  every(
    clock,
    10,
    () => logger.debug('A heartbeat.'),
    () => {},
  )
}

function startClient(host: Host, receive: (text: string) => void): void {
  const { network, clock, random } = host
  const ask = async (): Promise<void> => {
    const stream = await network.connect({ host: 'server', port: 1 }, 50)
    await new Promise<void>((resolve) => {
      stream.attach({
        data: (chunk) => receive(String(chunk)),
        drained() {},
        closed: () => resolve(),
      })
      stream.write([random.bytes(1 + random.below(20_000))])
      clock.after(20, () => stream.destroy())
    })
  }
  every(clock, 1 + random.below(5), ask, () => {}, 0)
}

async function runOfSeed(seed: number): Promise<{ world: SimWorld; answers: string[] }> {
  const world = createWorld(seed, { recordTrace: true })
  const answers: string[] = []
  const server = world.host('server', { disk: { shortCallChance: 0.1 } })
  startServer(server.doors)
  for (const name of ['c1', 'c2', 'c3']) {
    startClient(world.host(name).doors, (text) => answers.push(text))
  }
  for (let round = 0; round < 4; round += 1) {
    await world.clock.advance(world.random.between(20, 100))
    if (world.random.chance(0.5)) server.kill()
    else server.crash()
    await world.clock.advance(world.random.between(0, 30))
    startServer(server.restart())
    world.network.partition(['c1'], ['server'])
    await world.clock.advance(world.random.between(0, 30))
    world.network.heal()
  }
  await world.clock.advance(100)
  return { world, answers }
}

test('a seed repeats its run event for event, and another seed is another run', async () => {
  const first = await runOfSeed(11)
  const second = await runOfSeed(11)
  expect(first.answers.length).toBeGreaterThan(20)
  expect(second.world.traceLines()).toEqual(first.world.traceLines())
  expect(second.world.trace()).toBe(first.world.trace())
  expect(second.world.lines).toEqual(first.world.lines)
  const other = await runOfSeed(12)
  expect(other.world.trace()).not.toBe(first.world.trace())
})
