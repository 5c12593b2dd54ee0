/** The interop tests' own configuration: long waits, one shared pair of Apache servers. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

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
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxConcurrency: 8,
    teardownTimeout: 20_000,
  },
})
