/**
 * What worlds can do to machines since masters and slaves are played in them: processes stand still,
 * and what was under way is lost with the power of its sender.
 */
import type { Stream } from '@rockhopper/host'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'

const PORT = 7_000

/** A stream from `near` to `far`, and what `far` has read of it. */
async function connected(world: SimWorld): Promise<{ stream: Stream; read: string[] }> {
  const far = world.host('far')
  const read: string[] = []
  await world.clock.settle(
    far.doors.network.listen({ host: far.ip, port: PORT }, (stream) => {
      stream.attach({
        data: (chunk) => void read.push(chunk.toString()),
        drained: () => {},
        closed: () => {},
      })
    }),
  )
  const connecting = world.host('near').doors.network.connect({ host: far.ip, port: PORT }, 1_000)
  const stream = await world.clock.settle(connecting)
  stream.attach({ data: () => {}, drained: () => {}, closed: () => {} })
  return { stream, read }
}

test('a process that stands still does nothing until it goes on, and then all of it in order', async () => {
  const world = createWorld(1)
  const { read, stream } = await connected(world)
  const far = world.host('far')
  const { clock } = far.doors
  const calledOff = clock.after(20, () => read.push('called off'))
  clock.after(10, () => {
    read.push('timer')
    calledOff.cancel()
  })
  far.pause()
  stream.write([Buffer.from('bytes')])
  await world.clock.advance(100)
  expect(read).toEqual([])
  far.resume()
  await world.clock.advance(1)
  expect(read.toSorted()).toEqual(['bytes', 'timer'])
})

test('a process that is killed while it stands still never goes on', async () => {
  const world = createWorld(1)
  const far = world.host('far')
  let runs = 0
  far.doors.clock.after(1, () => {
    runs += 1
  })
  far.pause()
  await world.clock.advance(10)
  far.kill()
  far.resume()
  await world.clock.advance(10)
  expect(runs).toBe(0)
})

test.each([
  ['loses power', 'lost', (world: SimWorld) => world.host('near').crash()],
  ['is well', 'bytes', () => {}],
])('what a cut has stopped, of a sender that %s, is %s when the wire is mended', async (...row) => {
  const [, , befall] = row
  const world = createWorld(1)
  const { read, stream } = await connected(world)
  world.network.partition(['near'], ['far'])
  stream.write([Buffer.from('bytes')])
  await world.clock.advance(100)
  befall(world)
  world.network.mend('near', 'far')
  await world.clock.advance(100)
  expect(read.join('') || 'lost').toBe(row[1])
})
