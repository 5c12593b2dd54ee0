/**
 * The entry of `npm run test:faults`: kills a broker as often as it is told while messages are sent
 * and consumed, and says in its last line what became of them.
 *
 *   npm run test:faults -- --kills 100 [--flush SYNC_FLUSH] [--seed 7]
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    flush: { type: 'string', default: 'ASYNC_FLUSH' },
    seed: { type: 'string', default: '1' },
  },
})
if (!/^[1-9]\d*$/.test(values.kills) || !/^\d+$/.test(values.seed)) {
  end(1, 'faults: --kills and --seed take whole numbers, --kills from 1 on')
}
if (values.flush !== 'ASYNC_FLUSH' && values.flush !== 'SYNC_FLUSH') {
  end(1, `faults: --flush is ASYNC_FLUSH or SYNC_FLUSH, not "${values.flush}"`)
}

const folder = mkdtempSync(join(tmpdir(), 'rockhopper-faults-'))
const resultFile = join(folder, 'result.json')
const run = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config',
    'test/cluster/vitest.faults.config.ts',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      FAULTS_KILLS: values.kills,
      FAULTS_FLUSH: values.flush,
      FAULTS_SEED: values.seed,
      FAULTS_RESULT: resultFile,
    },
  },
)

let text
try {
  text = readFileSync(resultFile, 'utf8')
} catch {
  end(1, 'faults: failed: the storm did not come to its end, see above')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const aftermath = JSON.parse(text)
const { holes, lost, repeats, undelivered, wrong } = aftermath
const good = run.status === 0 && lost + wrong + holes + repeats + undelivered === 0
const restartMs = aftermath.restartMs.toSorted((a, b) => a - b)
end(
  good ? 0 : 1,
  `faults: ${good ? 'passed' : 'failed'}: ${aftermath.kills} kills with ${values.flush}, ` +
    `${aftermath.acknowledged} acknowledged, ${lost} lost, ${undelivered} not consumed, ` +
    `${wrong} wrong, ${holes} holes, ${repeats} repeats; ` +
    `${aftermath.messages - aftermath.acknowledged} stored and not acknowledged; ` +
    `restart to first acknowledgement p50 ${percentile(restartMs, 50)} ms, ` +
    `p99 ${percentile(restartMs, 99)} ms`,
)

/**
 * @param {number[]} sorted
 * @param {number} percent
 */
function percentile(sorted, percent) {
  return Math.round(sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0)
}

/**
 * @param {number} code
 * @param {string} line
 */
function end(code, line) {
  process.stdout.write(`${line}\n`)
  process.exit(code)
}
