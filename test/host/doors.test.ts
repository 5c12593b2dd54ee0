/** The small doors: addresses, chance, the machine, and merging of small chunks. */
import { formatAddress, NodeRandom, nodeHost, nodeMachine, parseAddress } from '@rockhopper/host'
import { expect, test } from 'vitest'
import { mergeSmall } from '../../packages/host/src/merge-small.ts'

test('addresses are read as they are written, and nonsense is not an address', () => {
  for (const text of ['10.0.0.1:9876', 'broker-a.example:1', '[fe80::1%eth0]:10911', '[::]:0']) {
    const address = parseAddress(text)
    expect(address && formatAddress(address)).toBe(text)
  }
  for (const text of ['', 'host', 'host:', ':1', 'host:65536', 'a b:1', '::1:80', 'host:-1']) {
    expect(parseAddress(text)).toBeUndefined()
  }
})

test('random numbers stay below their limit and reach every value', () => {
  const random = new NodeRandom()
  const seen = new Set<number>()
  for (let i = 0; i < 3000; i += 1) seen.add(random.below(10))
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  for (let i = 0; i < 3000; i += 1) expect(random.below(2 ** 31)).toBeLessThan(2 ** 31)
  expect(random.below(1)).toBe(0)
})

test('random bytes are as many as asked for and differ each time', () => {
  const random = new NodeRandom()
  expect(random.bytes(16)).toHaveLength(16)
  expect(random.bytes(16)).not.toEqual(random.bytes(16))
})

test('the machine tells what a process may know of it', () => {
  const machine = nodeMachine()
  expect(machine.pid).toBe(process.pid)
  expect(machine.cores).toBeGreaterThan(0)
  expect(machine.totalMemoryBytes).toBeGreaterThan(1 << 26)
  expect(machine.residentBytes()).toBeGreaterThan(1 << 20)
  expect(machine.cpuMicros()).toBeGreaterThan(0)
  expect(machine.environment['PATH']).toBe(process.env['PATH'])
  expect(machine.addresses).not.toContain('127.0.0.1')
})

test('a host has all doors, and is silent unless it is given a logger', () => {
  const host = nodeHost()
  host.logger.info('Nobody hears this.')
  expect(Object.keys(host).sort()).toEqual(
    ['clock', 'disk', 'logger', 'machine', 'network', 'random'].sort(),
  )
})

test('neighbouring small chunks are merged, large ones are passed on uncopied', () => {
  const small = Buffer.from('ab')
  const large = Buffer.alloc(513, 'L')
  const limit = Buffer.alloc(512, 'l')
  const sizes = (...chunks: Buffer[]): number[] => mergeSmall(chunks).map((part) => part.length)
  expect(mergeSmall([])).toEqual([])
  expect(mergeSmall([small])).toEqual([small])
  expect(sizes(small, limit, small)).toEqual([516])
  expect(sizes(small, large, small, small, large, large, small)).toEqual([2, 513, 4, 513, 513, 2])
  expect(mergeSmall([small, large])[1]).toBe(large)
  const mixed = [small, small, large, small]
  expect(Buffer.concat(mergeSmall(mixed))).toEqual(Buffer.concat(mixed))
})
