/**
 * A process with a producer of transactions, as the storm that started it sees it. Owns the process,
 * and what it has said.
 */
import { fileURLToPath } from 'node:url'
import { Child } from '../processes/child.ts'

const program = fileURLToPath(new URL('./transaction-sender.mjs', import.meta.url))
const QUIET_TIMEOUT_MS = 60_000

export interface TransactionProcessOptions {
  readonly name: string
  readonly folder: string
  readonly namesrvAddr: string
  readonly topic: string
  /** The first number it sends, and by how much the next ones are higher. */
  readonly first: number
  readonly stride: number
}

export class TransactionProcess {
  readonly begun = new Set<number>()
  readonly stored = new Set<number>()
  readonly asked = new Set<number>()
  readonly #options: TransactionProcessOptions
  readonly #child: Child
  #lineCount = 0
  #isQuiet = false

  constructor(options: TransactionProcessOptions) {
    const { first, folder, name, namesrvAddr, stride, topic } = options
    this.#options = options
    this.#child = new Child({
      ...{ name, command: process.execPath, cwd: folder },
      args: [program, String(first), String(stride)],
      env: { NAMESRV_ADDR: namesrvAddr, STORM_TOPIC: topic },
    })
  }

  /** Takes in what it has said meanwhile. */
  listen(): void {
    const { lines } = this.#child
    for (; this.#lineCount < lines.length; this.#lineCount++) {
      const fact = JSON.parse(lines[this.#lineCount] ?? '') as Record<string, number | true>
      for (const kind of ['begun', 'stored', 'asked'] as const) {
        const number = fact[kind]
        if (typeof number === 'number') this[kind].add(number)
      }
      if (fact['quiet'] === true) this.#isQuiet = true
    }
  }

  /** What is wrong with it that no storm does: it complains, or has ended. */
  get trouble(): Error | undefined {
    const { errorLines, hasEnded } = this.#child
    if (!hasEnded && errorLines.length === 0) return undefined
    return this.#child.complaint('is in trouble')
  }

  /** One that goes on where this one, which was killed, had come to. */
  successor(name: string): TransactionProcess {
    const { first, stride } = this.#options
    const next = Math.max(first - stride, ...this.begun) + stride
    return new TransactionProcess({ ...this.#options, name, first: next })
  }

  /** Begins no more; resolves when it is done with what it has begun. It goes on to answer. */
  async quieten(): Promise<void> {
    this.#child.write('stop\n')
    const isQuiet = (): true | undefined => {
      this.listen()
      return this.#isQuiet ? true : undefined
    }
    await this.#child.waitFor('end of what it has begun', isQuiet, QUIET_TIMEOUT_MS)
  }

  /** Ends it at once; resolves when it is gone, and all was heard that it said. */
  async kill(): Promise<void> {
    this.#child.kill()
    await this.#child.ended
    this.listen()
  }
}
