/**
 * The entry of `npm run test:interop`: says clearly when there is no JDK and Maven to run with (that
 * is a skip), runs the tests otherwise, and counts them in its last line. With the tools present
 * nothing is skipped but the Go client where there is no Go or no way to its modules: whatever else
 * could not be fetched, built or started is a failure.
 *
 *   node test/interop/run.mjs [arguments for vitest, such as -t NAME or a file]
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const resultFile = fileURLToPath(new URL('../../.cache/interop/result.json', import.meta.url))

const missing = [
  ['java', '-version'],
  ['javac', '-version'],
  ['mvn', '-version'],
].filter(([command, argument]) => spawnSync(command, [argument]).status !== 0)

if (missing.length > 0) {
  const names = missing.map(([command]) => command).join(', ')
  process.stdout.write(`interop: skipped: no JDK and Maven here (cannot run: ${names})\n`)
  process.exit(0)
}

mkdirSync(fileURLToPath(new URL('../../.cache/interop', import.meta.url)), { recursive: true })
rmSync(resultFile, { force: true })
const run = spawnSync(
  process.execPath,
  [
    fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url)),
    'run',
    '--config',
    'test/interop/vitest.interop.config.ts',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${resultFile}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
)

let result
try {
  result = JSON.parse(readFileSync(resultFile, 'utf8'))
} catch {
  process.stdout.write('interop: failed: JDK and Maven are here, but the tests could not be run\n')
  process.exit(1)
}
const { numPassedTests: passed, numFailedTests: failed, numTotalTests: total } = result
const good = run.status === 0 && failed === 0 && passed > 0
process.stdout.write(
  `interop: ${good ? 'passed' : 'failed'}: ${passed} passed, ${failed} failed, ` +
    `${total - passed - failed} not run\n`,
)
process.exit(good ? 0 : 1)
