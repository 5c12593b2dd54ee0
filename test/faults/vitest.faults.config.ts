/** The configuration of the long storm: that one file, and no limit of time. */
import { fileURLToPath } from 'node:url'
import { defineConfig, mergeConfig } from 'vitest/config'
import house from '../../vitest.config.ts'

// biome-ignore lint/style/noDefaultExport: vitest reads the default export.
export default mergeConfig(
  { ...house, test: {} },
  defineConfig({
    root: fileURLToPath(new URL('../..', import.meta.url)),
    test: { include: ['test/faults/faults.run.ts'], testTimeout: 0, hookTimeout: 0 },
  }),
)
