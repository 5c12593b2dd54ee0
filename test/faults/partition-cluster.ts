/**
 * The cluster of conf/2m-2s-sync with two name servers and two clients, each as a process on a machine
 * of its own. Owns the processes.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../processes/child.ts'
import { propertiesText, untilUp } from '../processes/our-server.ts'
import { BROKERS, type BrokerFile } from './cluster-under-test.ts'
import type { ClientFacts, ClientOrder } from './partition-facts.ts'
import { addressOf, type PartitionNetwork } from './partition-network.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const SEGMENT_BYTES = 64 * 1024 * 1024
const BROKER_PORT = 10_911
const NAME_SERVER_PORT = 9_876
const NAME_SERVERS = ['namesrv-1', 'namesrv-2'] as const
/** Far beyond what it takes, for machines that are busy with other things. */
const ANSWER_TIMEOUT_MS = 120_000

export class PartitionCluster {
  readonly namesrvAddr = NAME_SERVERS.map((name) => `${addressOf(name)}:${NAME_SERVER_PORT}`).join(
    ';',
  )
  readonly #network: PartitionNetwork
  readonly #folder: string
  readonly #children: Child[] = []

  private constructor(network: PartitionNetwork, folder: string) {
    this.#network = network
    this.#folder = folder
  }

  /** Starts the servers; resolves when all are up. */
  static async open(network: PartitionNetwork, folder: string): Promise<PartitionCluster> {
    const cluster = new PartitionCluster(network, folder)
    await Promise.all(NAME_SERVERS.map((name) => untilUp(cluster.#nameServer(name))))
    await Promise.all(BROKERS.map((name) => untilUp(cluster.#broker(name))))
    return cluster
  }

  address(broker: BrokerFile): string {
    return `${addressOf(broker)}:${BROKER_PORT}`
  }

  /** Starts a client that sends or reads a topic; resolves when it has begun. */
  async client(
    role: 'producer' | 'consumer',
    env: Readonly<Record<string, string>>,
    onFacts: (facts: ClientFacts) => void,
  ): Promise<PartitionClient> {
    const program = join(process.env['FAULTS_BUNDLE'] ?? '', 'partition-client.js')
    const args = [process.execPath, program, role]
    const child = this.#start(role, args, { ...env, NAMESRV_ADDR: this.namesrvAddr })
    const client = new PartitionClient(child, onFacts)
    await client.answer('start', ({ started }) => started)
    return client
  }

  /** Writes what each process has said into the folder. */
  writeLogs(): void {
    for (const { errorLines, lines, name } of this.#children) {
      writeFileSync(join(this.#folder, `${name}.log`), [...lines, ...errorLines, ''].join('\n'))
    }
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill()
    await Promise.all(this.#children.map((child) => child.ended))
  }

  #nameServer(name: (typeof NAME_SERVERS)[number]): Child {
    const settings = { bindAddress: '0.0.0.0', listenPort: String(NAME_SERVER_PORT) }
    return this.#server(name, 'mqnamesrv', propertiesText(settings))
  }

  #broker(name: BrokerFile): Child {
    const file = join(root, 'conf/2m-2s-sync', `${name}.properties`)
    const text = readFileSync(file, 'utf8')
      .replace(/^listenPort=.*$/m, `listenPort=${BROKER_PORT}`)
      .replace(/^namesrvAddr=.*$/m, `namesrvAddr=${this.namesrvAddr}`)
      .replace(/^brokerIP1=.*$/m, `brokerIP1=${addressOf(name)}`)
      .replace(/^storePathRootDir=.*$/m, `storePathRootDir=${join(this.#folder, name, 'store')}`)
    return this.#server(name, 'mqbroker', `${text}\nmappedFileSizeCommitLog=${SEGMENT_BYTES}\n`)
  }

  #server(name: BrokerFile | (typeof NAME_SERVERS)[number], program: string, text: string): Child {
    const home = join(this.#folder, name)
    mkdirSync(home)
    const configFile = join(home, `${program}.conf`)
    writeFileSync(configFile, text)
    const args = [process.execPath, join(root, 'bin', program), '-c', configFile]
    return this.#start(name, args, { ROCKETMQ_HOME: home, HOME: home, NAMESRV_ADDR: '' })
  }

  #start(
    host: Parameters<PartitionNetwork['on']>[0],
    program: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Child {
    const [command = '', ...args] = [...this.#network.on(host), ...program]
    const child = new Child({ name: host, command, args, env, cwd: this.#folder, isServer: true })
    this.#children.push(child)
    return child
  }
}

/** A producer or a consumer, as the storm sees it. */
export class PartitionClient {
  readonly #child: Child
  readonly #onFacts: (facts: ClientFacts) => void
  #lineCount = 0

  constructor(child: Child, onFacts: (facts: ClientFacts) => void) {
    this.#child = child
    this.#onFacts = onFacts
  }

  /** Passes on what it has said meanwhile. Throws when it has ended. */
  listen(): void {
    if (this.#child.hasEnded) throw this.#child.complaint('has ended')
    const { lines } = this.#child
    for (; this.#lineCount < lines.length; this.#lineCount++)
      this.#onFacts(this.#read(this.#lineCount))
  }

  /** Tells it something, and waits for what it says to that. */
  async tell<T>(order: ClientOrder, answer: (facts: ClientFacts) => T | undefined): Promise<T> {
    const from = this.#child.lines.length
    this.#child.write(`${JSON.stringify(order)}\n`)
    return this.answer(`answer to "${order}"`, answer, from)
  }

  /** What it says first of a kind, from a line on. */
  answer<T>(what: string, answer: (facts: ClientFacts) => T | undefined, from = 0): Promise<T> {
    let next = from
    const look = (): T | undefined => {
      for (; next < this.#child.lines.length; next++) {
        const found = answer(this.#read(next))
        if (found !== undefined) return found
      }
      return undefined
    }
    return this.#child.waitFor(what, look, ANSWER_TIMEOUT_MS)
  }

  #read(line: number): ClientFacts {
    return JSON.parse(this.#child.lines[line] ?? '') as ClientFacts
  }
}
