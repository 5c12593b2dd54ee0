/** The interop tests' own configuration: long waits, one shared pair of Apache servers. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { longestFirst } from '../longest-first.ts'

const longest = [
  ...['store-after-kill', 'replication', 'store-after-stop', 'timers', 'consumers-on-ours'],
  ...['open-transactions', 'store-bytes', 'request-reply', 'transactions', 'mixed-groups'],
]

// biome-ignore lint/style/noDefaultExport: vitest reads the default export.
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: {
    alias: [
      {
        find: /^@rockhopper\/([a-z-]+)$/,
        replacement: fileURLToPath(new URL('../../packages/$1/src/index.ts', import.meta.url)),
      },
    ],
  },
  test: {
    include: ['test/interop/**/*.interop.ts'],
    globalSetup: [fileURLToPath(new URL('./prepare.ts', import.meta.url))],
    pool: 'forks',
    // A third would be no quicker on two cores, and starves JVMs until their own limits pass.
    maxWorkers: 2,
    sequence: { sequencer: longestFirst(longest.map((name) => `${name}.interop`)) },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxConcurrency: 8,
    teardownTimeout: 20_000,
  },
})
