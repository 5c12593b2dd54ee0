/**
 * A process with some consumers, as the test that started it sees it. Owns the process, and what is
 * known of its consumers.
 */
import { fileURLToPath } from 'node:url'
import { Child } from '../processes/child.ts'

const program = fileURLToPath(new URL('./group-consumers.mjs', import.meta.url))
const ANSWER_TIMEOUT_MS = 60_000

/** A line of its output. Times are monotonic, in ms, and the same for all processes. */
export interface Fact {
  readonly atMs: number
  readonly by: string
  readonly queue: string
  readonly offset: number
  /** The key of a message that a handler has begun with. */
  readonly got?: string
  /** The key of a message that a handler has ended with. */
  readonly done?: string
  readonly joined?: string
  readonly left?: string
  readonly owns?: readonly string[]
}

export class ConsumerProcess {
  /** When it was killed; undefined while it was not. */
  killedAtMs: number | undefined
  /** When it was gone. */
  goneAtMs = Number.POSITIVE_INFINITY
  readonly #child: Child
  /** Consumers that were told to join, and have not said that they left. */
  readonly #members = new Set<string>()
  #factCount = 0
  readonly #facts: Fact[] = []

  constructor(name: string, folder: string, namesrvAddr: string) {
    this.#child = new Child({
      ...{ name, command: process.execPath, args: [program], cwd: folder },
      env: { NAMESRV_ADDR: namesrvAddr },
    })
    void this.#child.ended.then(() => {
      this.goneAtMs = nowMs()
    })
  }

  /** Everything it has said so far. */
  get facts(): readonly Fact[] {
    const { lines } = this.#child
    for (; this.#factCount < lines.length; this.#factCount++) {
      const fact = JSON.parse(lines[this.#factCount] ?? '') as Fact
      if (fact.left !== undefined) this.#members.delete(fact.left)
      this.#facts.push(fact)
    }
    return this.#facts
  }

  /** Consumers that are in it, those that are leaving included. */
  get members(): ReadonlySet<string> {
    return this.facts.length < 0 ? new Set() : this.#members
  }

  join(member: string, group: string, orderly: boolean): void {
    this.#members.add(member)
    this.#tell({ join: member, group, orderly })
  }

  leave(member: string): void {
    this.#tell({ leave: member })
  }

  /** Ends it at once; resolves when it is gone. */
  async kill(): Promise<void> {
    this.killedAtMs = nowMs()
    this.#child.kill()
    await this.#child.ended
  }

  /** The queues of each of its consumers. */
  async owners(): Promise<(readonly [member: string, queues: readonly string[]])[]> {
    const from = this.#child.lines.length
    this.#tell({ owns: true })
    const told = (): readonly Fact[] | undefined => {
      const facts = this.facts.slice(from).filter(({ owns }) => owns !== undefined)
      return facts.at(-1)?.by === '' ? facts : undefined
    }
    const facts = await this.#child.waitFor('answer', told, ANSWER_TIMEOUT_MS)
    return facts.flatMap(({ by, owns }) => (by === '' ? [] : [[by, owns ?? []] as const]))
  }

  /** Ends it in order, when its consumers have left. */
  async end(): Promise<void> {
    this.#child.closeInput()
    await this.#child.end(ANSWER_TIMEOUT_MS)
  }

  /** What it said on its standard error. */
  get complaints(): readonly string[] {
    return this.#child.errorLines
  }

  #tell(order: object): void {
    this.#child.write(`${JSON.stringify(order)}\n`)
  }
}

/** Monotonic time, the same for all processes of this machine, in ms. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
