/** The interop tests' own configuration: long waits, one shared pair of Apache servers. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Those that wait longest come first, so that others fill their pauses. */
const longest = [
  ...['replication', 'store-after-kill', 'store-after-stop', 'timers', 'consumers-on-ours'],
  ...['open-transactions', 'store-bytes', 'request-reply', 'transactions', 'mixed-groups'],
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(`/${name}.interop.ts`))
      return at < 0 ? longest.length : at
    }
    return files.toSorted((one, other) => rank(one) - rank(other))
  }
}

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
    // JVMs mostly wait.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxConcurrency: 8,
    teardownTimeout: 20_000,
  },
})
