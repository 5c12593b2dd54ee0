/**
 * The cluster of conf/2m-2s-sync as an operator runs it, by bin/cluster, on ports of its own and with
 * small files: its brokers can be killed, lose what they keep, and be started again. Owns the folder.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../processes/child.ts'
import { freePort } from '../processes/port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PORTS = { lowest: 25_000, highest: 25_990 }
const SEGMENT_BYTES = 64 * 1024 * 1024
/** Far beyond what it takes, for machines that are busy with other things. */
const COMMAND_TIMEOUT_MS = 240_000

/** The brokers by the names of their files. */
export const BROKERS = ['broker-a', 'broker-a-s', 'broker-b', 'broker-b-s'] as const
export type BrokerFile = (typeof BROKERS)[number]

export class ClusterUnderTest {
  readonly namesrvAddr: string
  readonly #folder: string
  readonly #addresses: ReadonlyMap<BrokerFile, string>

  private constructor(
    folder: string,
    namesrvAddr: string,
    addresses: ReadonlyMap<BrokerFile, string>,
  ) {
    this.#folder = folder
    this.namesrvAddr = namesrvAddr
    this.#addresses = addresses
  }

  /** Starts all of it. */
  static async open(folder: string): Promise<ClusterUnderTest> {
    const namesrvAddr = `127.0.0.1:${await freePort(PORTS)}`
    const addresses = new Map<BrokerFile, string>()
    mkdirSync(join(folder, 'set'))
    const set = join(root, 'conf/2m-2s-sync')
    for (const file of readdirSync(set)) {
      const port = await freePort(PORTS)
      const text = readFileSync(join(set, file), 'utf8')
        .replace(/^listenPort=.*$/m, `listenPort=${port}`)
        .replace(/^namesrvAddr=.*$/m, `namesrvAddr=${namesrvAddr}`)
      const size = `mappedFileSizeCommitLog=${SEGMENT_BYTES}\n`
      writeFileSync(join(folder, 'set', file), `${text}\n${size}`)
      const name = BROKERS.find((broker) => `${broker}.properties` === file)
      if (name === undefined) throw new Error(`${set} has a file that is not known: ${file}`)
      addresses.set(name, `127.0.0.1:${port}`)
    }
    const cluster = new ClusterUnderTest(folder, namesrvAddr, addresses)
    await cluster.start()
    return cluster
  }

  address(broker: BrokerFile): string {
    return this.#addresses.get(broker) ?? ''
  }

  /** Starts whatever does not run; resolves when all brokers answer. */
  async start(): Promise<void> {
    await this.#command('start')
  }

  async stop(): Promise<void> {
    await this.#command('stop')
  }

  /** What bin/cluster status prints. */
  async status(): Promise<string> {
    return (await this.#command('status', [0, 1])).lines.join('\n')
  }

  /** Ends the process of a broker at once. */
  kill(broker: BrokerFile): void {
    const pid = Number(readFileSync(join(this.#folder, 'data', 'run', `${broker}.pid`), 'utf8'))
    process.kill(pid, 'SIGKILL')
  }

  /** Takes away everything that a broker keeps. */
  loseDisk(broker: BrokerFile): void {
    rmSync(join(this.#folder, 'data', broker), { recursive: true })
  }

  /** Ends all processes at once, whatever state they are in. */
  killAll(): void {
    const run = join(this.#folder, 'data', 'run')
    for (const file of readdirSync(run)) {
      try {
        process.kill(Number(readFileSync(join(run, file), 'utf8')), 'SIGKILL')
      } catch {
        // It had ended already.
      }
    }
  }

  async #command(word: string, codes: readonly number[] = [0]): Promise<Child> {
    const child = new Child({
      ...{ name: `cluster ${word}`, command: process.execPath, cwd: this.#folder },
      args: [join(root, 'bin/cluster'), word, 'set', '--data', 'data'],
    })
    const code = await child.end(COMMAND_TIMEOUT_MS)
    if (code === null || !codes.includes(code)) throw child.complaint(`ended with ${code}`)
    return child
  }
}
