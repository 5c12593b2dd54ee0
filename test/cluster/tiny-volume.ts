/**
 * A volume of a few MiB in memory, for tests of full disks. Needs the right to mount. Owns the mount,
 * which is gone when the test is over.
 */
import { spawnSync } from 'node:child_process'
import type { TestContext } from 'vitest'

/** Mounts a volume on a folder; skips the test, saying why, where that is not allowed. */
export function mountTinyVolume(test: TestContext, folder: string, sizeBytes: number): void {
  const options = `size=${sizeBytes},mode=0700`
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
  const reason = mounted.error?.message ?? mounted.stderr.toString().trim()
  test.skip(mounted.status !== 0, `a volume can only be mounted by root on Linux: ${reason}`)
  // Whoever still writes into it keeps it until he ends.
  test.onTestFinished(() => {
    spawnSync('umount', ['--lazy', folder])
  })
}
