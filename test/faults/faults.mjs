/**
 * The entry of `npm run test:faults`: kills a broker as often as it is told, or cuts the power of its
 * volume, while messages are sent and read, and says in its last lines what became of them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'
import { readFlags } from './flags.mjs'
import { apart, whyNoNamespaces } from './namespaces.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const flags = readFlags(process.argv.slice(2))
const { cluster, flush, group, kills, lostDisk, only, partitions, power } = flags
const { rate, seconds, seed, timers, transactions } = flags
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
