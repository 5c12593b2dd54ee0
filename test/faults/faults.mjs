/**
 * The entry of `npm run test:faults`: kills a broker as often as it is told, or cuts the power of its
 * volume, while messages are sent and read, and says in its last lines what became of them.
 *
 *   npm run test:faults -- --kills 200 [--flush SYNC_FLUSH] [--seed 7]
 *   npm run test:faults -- --power 50                                      (as root, on Linux)
 *   npm run test:faults -- --group 200          consumers join, leave and are killed (about 3 min)
 *   npm run test:faults -- --timers 100000      messages that have times of their own (about 3 min)
 *   npm run test:faults -- --transactions 20000 [--kills 20]      broker and producers are killed
 *   npm run test:faults -- --cluster [--seconds 300] [--rate 20000] [--kills 10]
 *                                               two masters and two slaves, each killed in turn
 *   npm run test:faults -- --lost-disk          a synchronous master is killed and loses its disk
 *   npm run test:faults -- --partitions [--seconds 15] [--rate 1000] [--only 3,7]
 *                                               the network is cut in twelve ways (as root, on Linux)
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { apart, whyNoNamespaces } from './namespaces.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    power: { type: 'string' },
    group: { type: 'string' },
    timers: { type: 'string' },
    transactions: { type: 'string' },
    cluster: { type: 'boolean', default: false },
    'lost-disk': { type: 'boolean', default: false },
    partitions: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    seconds: { type: 'string' },
    rate: { type: 'string' },
    flush: { type: 'string', default: 'both' },
    seed: { type: 'string', default: '1' },
  },
})
const { flush, group = '0', power = '0', seed, timers = '0', transactions = '0' } = values
const { cluster, 'lost-disk': lostDisk, only, partitions } = values
const { rate = partitions ? '1000' : lostDisk ? '5000' : '20000' } = values
const { seconds = partitions ? '15' : lostDisk ? '20' : '300' } = values
const others = [values.power, values.group, values.timers]
const isOther = lostDisk || partitions || others.some((value) => value !== undefined)
const usualKills = values.transactions !== undefined ? '20' : cluster ? '10' : isOther ? '0' : '100'
const { kills = usualKills } = values
const numbers = [group, kills, power, rate, seconds, seed, timers, transactions]
if (!numbers.every((value) => /^\d+$/.test(value))) {
  const options =
    '--kills, --power, --group, --timers, --transactions, --seconds, --rate and --seed'
  end(1, `faults: ${options} take whole numbers`)
}
if (!['both', 'ASYNC_FLUSH', 'SYNC_FLUSH'].includes(flush)) {
  end(1, `faults: --flush is ASYNC_FLUSH, SYNC_FLUSH or both, not "${flush}"`)
}
if (!/^(\d+(,\d+)*)?$/.test(only)) end(1, 'faults: --only takes numbers of patterns: 3,7')
const obstacle = partitions ? whyNoNamespaces() : undefined
if (obstacle !== undefined) {
  end(0, `faults: skipped: partitions need network namespaces, and there are none here: ${obstacle}`)
}

// The signal ends the run, which is waited for: what it has left is to be tidied up.
process.on('SIGINT', () => {})
const folder = mkdtempSync(join(tmpdir(), 'rockhopper-faults-'))
const resultFile = join(folder, 'result.json')
// Within the house, so that it finds the libraries; its parts look for files from where they were.
const bundle = join(root, '.cache/faults')
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  plugins: [
    {
      name: 'own places',
      transform: (code, id) =>
        code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)),
    },
  ],
  build: {
    ssr: true,
    rolldownOptions: { input: ['faults.run.ts', 'partition-client.ts'].map(sourceAt) },
    outDir: bundle,
    minify: false,
    target: 'node20',
  },
})
const [program = '', ...args] = commandOf([process.execPath, join(bundle, 'faults.run.js')])
const run = spawn(program, args, {
    cwd: root,
    // Its input ends with this process, and it ends with its input.
    stdio: ['pipe', 'inherit', 'inherit'],
    env: {
      ...process.env,
      FAULTS_KILLS: kills,
      FAULTS_POWER: power,
      FAULTS_GROUP: group,
      FAULTS_TIMERS: timers,
      FAULTS_TRANSACTIONS: transactions,
      FAULTS_CLUSTER: String(cluster),
      FAULTS_LOST_DISK: String(lostDisk),
      FAULTS_PARTITIONS: String(partitions),
      FAULTS_ONLY: only,
      FAULTS_BUNDLE: bundle,
      FAULTS_SECONDS: seconds,
      FAULTS_RATE: rate,
      FAULTS_FLUSH: flush,
      FAULTS_SEED: seed,
      FAULTS_RESULT: resultFile,
      FAULTS_FOLDER: folder,
    },
})
const code = await new Promise((resolve) => {
  run.once('error', () => resolve(1))
  run.once('close', resolve)
})

sweep()
let text
try {
  text = readFileSync(resultFile, 'utf8')
} catch {
  end(1, `faults: failed: the run did not come to its end, see above; its files are in ${folder}`)
}
/** @type {{ good: boolean, summary: string }[]} */
const verdicts = JSON.parse(text)
const good = code === 0 && verdicts.every((verdict) => verdict.good)
if (good) rmSync(folder, { recursive: true, force: true })
end(good ? 0 : 1, verdicts.map(({ summary }) => `faults: ${summary}`).join('\n'))

/** @param {string} file */
function sourceAt(file) {
  return join(root, 'test/faults', file)
}

/**
 * A run with a network of its own is apart from everything else.
 * @param {readonly string[]} command
 */
function commandOf(command) {
  return partitions ? apart(command) : command
}

/** Unmounts what a run that was broken off has left mounted, and gives its loop devices back. */
function sweep() {
  if (process.platform !== 'linux') return
  for (const line of readFileSync('/proc/mounts', 'utf8').split('\n')) {
    const [device = '', directory = ''] = line.split(' ')
    if (!directory.startsWith(`${folder}/`)) continue
    spawnSync('umount', ['--lazy', directory])
    spawnSync('losetup', ['--detach', device])
  }
}

/**
 * @param {number} code
 * @param {string} lines
 * @returns {never}
 */
function end(code, lines) {
  process.stdout.write(`${lines}\n`)
  process.exit(code)
}
