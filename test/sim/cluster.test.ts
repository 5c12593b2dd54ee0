/**
 * A whole cluster under load and faults, from seeds: no promise is broken, a seed repeats itself, and
 * bugs that are planted between a broker and its doors are found.
 */
import type { Disk, DiskFile, Host } from '@rockhopper/host'
import { type SimulationOptions, type SimulationReport, simulate, storyOf } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

/** Shorter than from the command line, so that many seeds fit into a test. */
const loadMs = 12_000
const SEEDS_PER_TEST = 10
const TIMEOUT_MS = 60_000

function run(seed: number, options: SimulationOptions = {}): Promise<SimulationReport> {
  return simulate(seed, { loadMs, ...options })
}

describe('a seed', () => {
  test('repeats its run event for event', async () => {
    for (const seed of [3, 8]) {
      const first = await run(seed)
      expect(first.incidents.length).toBeGreaterThan(2)
      expect(await run(seed)).toEqual(first)
    }
  })

  test('is another run than its neighbour', async () => {
    const reports = [await run(3), await run(4), await run(5)]
    expect(new Set(reports.map(({ trace }) => trace)).size).toBe(3)
  })

  test('shows by its trace that a part reaches around the doors', async () => {
    const below = (limit: number): number => Math.floor(Math.random() * limit)
    const doors = (given: Host, name: string): Host => {
      return name === 'producer-1' ? { ...given, random: changed(given.random, { below }) } : given
    }
    const traces = new Set<string>()
    // Chance may be the same some times in a row.
    for (let i = 0; i < 20 && traces.size < 2; i++) traces.add((await run(3, { doors })).trace)
    expect(traces.size).toBeGreaterThan(1)
  })
})

describe('no promise is broken', () => {
  for (let first = 1; first <= 40; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1
    test(`by the seeds ${first} to ${last}, with faults`, { timeout: TIMEOUT_MS }, async () => {
      for (let seed = first; seed <= last; seed++) expectKept(await run(seed))
    })
  }

  test('in quiet times, and then every send succeeds', async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const report = await run(seed, { faults: false })
      expectKept(report)
      expect(report.acknowledgedCount).toBe(report.sentCount)
      expect(report.storedCount).toBe(report.sentCount)
    }
  })
})

function expectKept(report: SimulationReport): void {
  expect(report.findings.length === 0 ? '' : storyOf(report)).toBe('')
  expect(report.acknowledgedCount).toBeGreaterThan(0)
  expect(report.deliveredCount).toBeGreaterThan(0)
}

describe('a planted bug is found within a few dozen seeds', () => {
  test('a broker that acknowledges before the device has it', { timeout: TIMEOUT_MS }, async () => {
    const lies = { syncData: () => Promise.resolve() }
    const found = await findingsOf(
      withLog(() => lies),
      'SYNC_FLUSH',
    )
    expect(found).toContain('an acknowledged message is where its result says')
  })

  test('a broker that acknowledges before the write', { timeout: TIMEOUT_MS }, async () => {
    const found = await findingsOf(withLog(writesLate), 'ASYNC_FLUSH')
    expect(found).toContain('an acknowledged message is where its result says')
  })
})

/** The rules that the first failing seed breaks. */
async function findingsOf(
  doors: (given: Host, name: string) => Host,
  flushDiskType: 'SYNC_FLUSH' | 'ASYNC_FLUSH',
): Promise<string[]> {
  for (let seed = 1; seed <= 36; seed++) {
    const { findings } = await run(seed, { doors, flushDiskType })
    if (findings.length > 0) return findings.map(({ rule }) => rule)
  }
  return []
}

type Spoil = (file: DiskFile, host: Host) => Partial<DiskFile>

/** Doors through which the files of the broker's commit log, and its sums, behave otherwise. */
function withLog(spoil: Spoil): (given: Host, name: string) => Host {
  return (given, name) => {
    if (name !== 'broker') return given
    const open: Disk['open'] = (path, mode) => {
      const file = given.disk.open(path, mode)
      return /\/(commitlog|logsums)\//.test(path) ? changed(file, spoil(file, given)) : file
    }
    return { ...given, disk: changed(given.disk, { open }) }
  }
}

/** Small writes reach the system only a moment after they were reported. */
function writesLate(file: DiskFile, { clock }: Host): Partial<DiskFile> {
  return {
    writeSync(chunks, position) {
      const bytes = Buffer.concat(chunks)
      if (bytes.length > 60_000) return file.writeSync(chunks, position)
      const writeAll = (): void => {
        for (let done = 0; done < bytes.length; ) {
          done += file.writeSync([bytes.subarray(done)], position + done)
        }
      }
      clock.after(20, () => {
        try {
          writeAll()
        } catch {
          // The file was closed in order meanwhile, or its disk is full.
        }
      })
      return bytes.length
    },
  }
}

/** The object with some of its methods replaced. */
function changed<T extends object>(original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get(target, key: string & keyof T) {
      const value = changes[key] ?? target[key]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
