/**
 * The test runner: packages are taken from their sources, so that no build is needed. Two kinds of
 * tests run beside each other: those of one process, which share the modules that are loaded, and
 * those that start processes of their own.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { longestFirst } from './test/longest-first.ts'

const withProcesses = ['test/cli/**', 'test/cluster/**', 'test/faults/**']

const longest = [
  ...['faults/kill.test', 'faults/lies.test', 'faults/cluster.test', 'faults/group.test'],
  ...['sim/storm.test', 'sim/cluster.test', 'sim/timers.test', 'replication/storm.test'],
  ...['broker/timed-crash.test', 'broker/timed-takeover.test', 'broker/transaction-crash.test'],
  ...['cluster/full-disk.test', 'cluster/kill.test', 'faults/transaction.test', 'cli/store.test'],
  ...['cli/servers.test', 'cli/cluster.test', 'store/key-index-life.test'],
]

export default defineConfig({
  resolve: {
    alias: [
      {
        find: /^@rockhopper\/([a-z-]+)$/,
        replacement: fileURLToPath(new URL('./packages/$1/src/index.ts', import.meta.url)),
      },
    ],
  },
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Tests with processes wait now and then.
    maxWorkers: Math.max(2, availableParallelism()),
    sequence: { sequencer: longestFirst(longest) },
    projects: [
      {
        extends: true,
        test: {
          name: 'processes',
          include: withProcesses.map((folder) => `${folder}/*.test.ts`),
        },
      },
      {
        extends: true,
        test: {
          name: 'one process',
          include: ['test/**/*.test.ts'],
          exclude: withProcesses,
          isolate: false,
        },
      },
    ],
  },
})
