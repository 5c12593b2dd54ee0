/**
 * The test runner: packages are taken from their sources, so that no build is needed. Two kinds of
 * tests run beside each other: those of one process, which share the modules that are loaded, and
 * those that start processes of their own.
 */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const withProcesses = ['test/cli/**', 'test/cluster/**', 'test/faults/**']

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
    maxWorkers: 2,
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
