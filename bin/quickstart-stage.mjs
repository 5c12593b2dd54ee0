/**
 * Where the quickstart plays: a temporary folder and the child processes in it. Owns both, and sees
 * to it that they are gone in the end, also after Ctrl-C.
 */
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './built.mjs'

const BOOT_MS = 20_000
const STOP_MS = 10_000
/** The exit code of a program that was interrupted. */
const INTERRUPTED = 130

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

export class Stage {
  #folder = mkdtempSync(join(tmpdir(), 'rockhopper-quickstart-'))
  /** Servers in the order of their start. @type {ChildProcess[]} */
  #children = []

  constructor() {
    mkdirSync(join(this.#folder, 'logs'))
    process.once('exit', () => this.#vanish())
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
      process.once(signal, () => process.exit(INTERRUPTED))
  }

  /** Resolves to its address. */
  async startNameServer() {
    const port = await freePort()
    await this.#startServer('mqnamesrv', [], {
      listenPort: port,
      bindAddress: '127.0.0.1',
      kvConfigPath: join(this.#folder, 'kvConfig.json'),
    })
    return `127.0.0.1:${port}`
  }

  /**
   * Resolves to its address.
   * @param {string} nameServer
   */
  async startBroker(nameServer) {
    const port = await freePort()
    await this.#startServer('mqbroker', ['-n', nameServer], {
      listenPort: port,
      brokerName: 'quickstart',
      brokerIP1: '127.0.0.1',
      storePathRootDir: join(this.#folder, 'store'),
    })
    return `127.0.0.1:${port}`
  }

  /**
   * Resolves when it has started.
   * @param {string[]} args
   */
  async startConsumer(args) {
    const script = fileURLToPath(new URL('quickstart-consumer.mjs', import.meta.url))
    const child = fork(script, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    this.#log(child, 'consumer')
    const consumer = new Consumer(child)
    await consumer.ready
    return consumer
  }

  /** Copies the logs to a place that stays; returns it. */
  keepLogs() {
    const kept = join(root, '.cache', 'quickstart')
    rmSync(kept, { recursive: true, force: true })
    cpSync(join(this.#folder, 'logs'), kept, { recursive: true })
    return kept
  }

  /** Ends the children in order, the broker before its name server, and removes the folder. */
  async clear() {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await ended
      clearTimeout(killer)
    }
    this.#vanish()
  }

  #vanish() {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  /**
   * @param {string} program
   * @param {string[]} args
   * @param {Record<string, string | number>} settings
   */
  async #startServer(program, args, settings) {
    const file = join(this.#folder, `${program}.conf`)
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(file, lines.join(''))
    const script = fileURLToPath(new URL(program, import.meta.url))
    const child = spawn(process.execPath, [script, '-c', file, ...args], {
      cwd: this.#folder,
      env: { ...process.env, HOME: this.#folder, NAMESRV_ADDR: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#log(child, program)
    await booted(child, program)
  }

  /**
   * @param {ChildProcess} child
   * @param {string} name
   */
  #log(child, name) {
    this.#children.push(child)
    const file = createWriteStream(join(this.#folder, 'logs', `${name}.out`))
    child.stdout?.pipe(file, { end: false })
    child.stderr?.pipe(file, { end: false })
  }
}

/** The process that consumes, as its parent sees it. */
class Consumer {
  #child
  /** @type {(received: number) => void} */
  #progressed = () => {}
  #received = 0
  /** Resolves when it has started; rejects when it ends before. */
  ready
  #done

  /** @param {ChildProcess} child */
  constructor(child) {
    this.#child = child
    this.ready = this.#message('ready')
    this.#done = this.#message('done')
    this.#done.catch(() => {})
    child.on('message', (/** @type {any} */ { kind, received }) => {
      if (kind !== 'progress') return
      this.#received = received
      this.#progressed(received)
    })
  }

  /** @param {(received: number) => void} progressed */
  onProgress(progressed) {
    this.#progressed = progressed
  }

  /**
   * What it found; after `patienceMs` without progress, what it has found until then.
   * @param {number} patienceMs
   * @returns {Promise<{ verdict: import('./quickstart-ledger.mjs').Verdict, seconds: number }>}
   */
  async outcome(patienceMs) {
    let seen = -1
    const watch = setInterval(() => {
      if (this.#received === seen) this.#child.send('finish')
      seen = this.#received
    }, patienceMs)
    try {
      return await this.#done
    } finally {
      clearInterval(watch)
    }
  }

  /** @param {string} kind @returns {Promise<any>} */
  #message(kind) {
    return new Promise((resolve, reject) => {
      this.#child.on('message', (/** @type {any} */ message) => {
        if (message.kind === kind) resolve(message)
      })
      this.#child.once('exit', (code) => {
        reject(new Error(`The consuming process ended by itself, with ${code}.`))
      })
    })
  }
}

/**
 * Resolves when a server says that it is up.
 * @param {ChildProcess} child
 * @param {string} program
 */
function booted(child, program) {
  return new Promise((resolve, reject) => {
    let out = ''
    const late = setTimeout(() => {
      reject(new Error(`${program} did not say within ${BOOT_MS} ms that it is up.`))
    }, BOOT_MS)
    child.stdout?.on('data', (chunk) => {
      out += chunk
      if (!out.includes('boot success')) return
      clearTimeout(late)
      resolve(undefined)
    })
    child.stderr?.on('data', (chunk) => {
      out += chunk
    })
    child.once('exit', (code) => {
      clearTimeout(late)
      reject(new Error(`${program} ended with ${code} before it was up:\n${out.trimEnd()}`))
    })
  })
}

/** A port that is free, as are the two below, which a broker may use, and the one above. */
async function freePort() {
  for (;;) {
    const port = await portFreeAt(0)
    const near = await Promise.all([port - 2, port + 1].map(portFreeAt))
    if (port !== undefined && near.every((each) => each !== undefined)) return port
  }
}

/**
 * The port that could be listened on; undefined when it could not.
 * @param {number} port
 * @returns {Promise<any>}
 */
function portFreeAt(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
