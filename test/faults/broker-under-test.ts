/**
 * A broker that is started again and again on the same port and the same files, each time with
 * orders how it is to die. Owns the process that runs at present.
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../processes/child.ts'
import { propertiesText } from '../processes/our-server.ts'
import type { Lie } from './lies.mjs'
import type { Doom } from './points.mjs'

const program = fileURLToPath(new URL('./doomed-broker.mjs', import.meta.url))
const leash = new URL('../processes/leash.mjs', import.meta.url).href
/** What the doomed disk says last. */
const DEATH = 'doomed: dies at '
const READY = /boot success after (\d+) changes/

/** How a broker is to die, and what else is strange about its machine. */
export interface Orders {
  readonly doom?: Doom
  readonly lie?: Lie
  /** Files of the log that lie before this offset look a day older. */
  readonly agedBefore?: number
  readonly bootId?: string
}

export interface BrokerOptions {
  readonly port: number
  /** Its home and current folder. */
  readonly folder: string
  /** Lines of its configuration file, beside the port. */
  readonly settings: Readonly<Record<string, string>>
}

export class BrokerUnderTest {
  /** Where clients reach it, `host:port`. */
  readonly address: string
  readonly #options: BrokerOptions
  readonly #configFile: string
  #child: Child | undefined

  constructor(options: BrokerOptions) {
    this.#options = options
    this.address = `127.0.0.1:${options.port}`
    this.#configFile = join(options.folder, 'broker.conf')
    const settings = { listenPort: String(options.port), ...options.settings }
    writeFileSync(this.#configFile, propertiesText(settings))
  }

  /** The process that was started last. */
  get child(): Child {
    if (this.#child === undefined) throw new Error('the broker was not started yet')
    return this.#child
  }

  /** Starts the process and waits for nothing. */
  launch(orders: Orders): Child {
    const { folder } = this.#options
    this.#child = new Child({
      name: `the broker on ${this.address}`,
      command: process.execPath,
      args: ['--import', leash, program, this.#configFile],
      env: {
        ...{ ROCKETMQ_HOME: folder, HOME: folder, NAMESRV_ADDR: '' },
        DOOMED: JSON.stringify(orders),
      },
      cwd: folder,
      isServer: true,
    })
    return this.#child
  }

  /** Waits until clients are served. */
  async untilReady(timeoutMs: number): Promise<void> {
    const ready = (): string | undefined => this.child.lines.find((line) => READY.test(line))
    await this.child.waitFor('boot line', ready, timeoutMs)
  }

  /** How often the last start changed something on the disk; undefined before it is ready. */
  get changesAtStart(): number | undefined {
    const line = this.child.lines.find((each) => READY.test(each))
    return line === undefined ? undefined : Number(READY.exec(line)?.[1])
  }

  /** The call at which the process ended itself; undefined when it did not. */
  get diedAt(): string | undefined {
    const line = this.child.errorLines.find((each) => each.startsWith(DEATH))
    return line?.slice(DEATH.length)
  }

  /** Has it killed by another process after a time, at whatever it does then. */
  killAfter(delayMs: number): void {
    const { pid } = this.child
    if (pid === undefined) return
    const command = `sleep ${(delayMs / 1_000).toFixed(4)}; kill -9 ${pid}`
    spawn('sh', ['-c', command], { stdio: 'ignore' })
  }

  /** Ends the process, if there is one, as a crash would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child?.kill()
    await this.#child?.ended
  }
}
