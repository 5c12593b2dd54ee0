/**
 * Sums up the results that several runs of vitest left behind: `count.mjs FILE STATUS …`, a file of
 * results and the exit code for each run. Prints one line, and ends with 1 if anything failed. A run
 * that failed without a failed test, for it never came to testing, counts as one failure.
 */
import { readFileSync } from 'node:fs'

const totals = { passed: 0, failed: 0, skipped: 0 }
const args = process.argv.slice(2)
for (let at = 0; at < args.length; at += 2) {
  const [file = '', status] = args.slice(at, at + 2)
  const { passed, failed, skipped } = countsIn(file)
  totals.passed += passed
  totals.failed += failed === 0 && status !== '0' ? 1 : failed
  totals.skipped += skipped
}
const { passed, failed, skipped } = totals
process.stdout.write(
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

/**
 * @param {string} file
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
function countsIn(file) {
  let result
  try {
    result = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
  const { numPassedTests: passed, numFailedTests: failed, numTotalTests: total } = result
  // A file that could not even be loaded has a failure of its own and no tests.
  const broken = result.testResults.filter(
    (/** @type {any} */ each) => each.status === 'failed' && each.assertionResults.length === 0,
  )
  return { passed, failed: failed + broken.length, skipped: total - passed - failed }
}
