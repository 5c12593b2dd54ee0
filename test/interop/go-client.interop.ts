/**
 * The unmodified Go client of Apache RocketMQ (rocketmq-client-go 2.1.2) on our servers, and on
 * Apache's: it sends in each way, and five kinds of its consumers read what it sent.
 */
import { afterAll, beforeAll, describe, expect, inject, type TestContext, test } from 'vitest'
import { Child, endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import {
  expectQueueOrder,
  expectSamePlaces,
  expectUnchanged,
  indexesOf,
  offsetsByQueue,
  parseOffsetId,
  range,
} from './expectations.ts'
import { type GoProgram, prepareGo } from './go-toolchain.ts'
import type { Received, Sent } from './java-client.ts'
import { ours } from './ours.ts'
import { patienceMs } from './patience.ts'
import type { ServerFamily } from './server.ts'
import { makeTopic } from './wire.ts'

/** Kinds of its consumers; `go/main.go` says what each does. */
type Kind = 'retry' | 'tags' | 'orderly' | 'broadcast' | 'pull'

interface Got extends Received {
  readonly by: Kind
  readonly outcome: 'done' | 'failed'
}

const QUEUES = 4
const SMALL_BYTES = 100
const LARGE_BYTES = 20_000
const LARGE = range(40, 44)
const DELAYED = [44, 45]
/** Committed at once, and committed when it was asked about; the one between is rolled back. */
const COMMITTED = [48, 50]
const ALL = [...range(0, 46), ...COMMITTED]
const FAILS_ONCE = 3
/** Level 1. */
const DELAY_MS = 1_000
/** Go and the broker round what the clock says each in their way. */
const CLOCK_STEP_MS = 2
/** Instead of 6 s and 30 s. */
const settings = { transactionTimeOut: '2000', transactionCheckInterval: '2000' }

let program: GoProgram

beforeAll(async () => {
  program = await prepareGo()
  if (program.kind === 'missing') process.stdout.write(`Go client: skipped: ${program.reason}\n`)
})

afterAll(endAll)

class Run {
  readonly broker: string
  readonly #child: Child
  readonly #family: ServerFamily

  private constructor(child: Child, broker: string, family: ServerFamily) {
    this.#child = child
    this.broker = broker
    this.#family = family
  }

  static async begin(path: string, family: ServerFamily): Promise<Run> {
    const runDir = inject('runDir')
    const { addr: namesrv } = await family.startNameServer(runDir)
    const { addr: broker } = await family.startBroker(runDir, {
      ...{ namesrv, name: 'gophers-a', clusterName: 'Gophers', settings },
    })
    const topic = await makeTopic({ namesrv, broker }, 'gophers', QUEUES)
    const name = `Go client on ${family.label} servers`
    const args = [namesrv, broker, topic]
    return new Run(new Child({ name, command: path, args, cwd: runDir }), broker, family)
  }

  told<T>(event: string): T[] {
    const lines = this.#child.lines.map((line) => JSON.parse(line))
    return lines.filter((line) => line.event === event)
  }

  got(by: Kind): Got[] {
    return this.told<Got>('got').filter((each) => each.by === by && each.outcome === 'done')
  }

  /**
   * The numbers of what a consumer got. Apache's broker commits again what it asks about before it has
   * noted the end of it: there, transactions count once.
   */
  numbersGot(by: Kind): number[] {
    const numbers = indexesOf(this.got(by))
    if (this.#family === ours) return numbers
    const isAgain = (number: number, at: number): boolean =>
      COMMITTED.includes(number) && numbers[at - 1] === number
    return numbers.filter((number, at) => !isAgain(number, at))
  }

  /** Waits until each of the consumers has all that it is to have. */
  async untilAllGot(): Promise<void> {
    const areThere = (): true | undefined => {
      const has = (by: Kind, wanted: readonly number[]): boolean => {
        const known = new Set(indexesOf(this.got(by)))
        return wanted.every((index) => known.has(index))
      }
      const kinds = ['retry', 'orderly', 'broadcast', 'pull'] as const
      return (kinds.every((by) => has(by, ALL)) && has('tags', ALL.filter(isEven))) || undefined
    }
    await this.#child.waitFor('message that is missing', areThere, patienceMs)
  }

  /** Ends it in good order. */
  async end(): Promise<void> {
    this.#child.closeInput()
    const code = await this.#child.end(patienceMs)
    if (code !== 0) throw this.#child.complaint(`ended with exit code ${code}`)
  }
}

function isEven(index: number): boolean {
  return index % 2 === 0
}

describe.each([
  ['our', ours],
  ["Apache's", apache],
] as const)('the Go client on %s servers', (_whose, family) => {
  let run: Run | undefined

  beforeAll(async () => {
    if (program.kind === 'missing') return
    run = await Run.begin(program.path, family)
    await run.untilAllGot()
    await run.end()
  })

  const fact = (title: string, check: (run: Run) => void): void =>
    test(title, (context: TestContext) => {
      if (run === undefined) return context.skip('there is no Go client here')
      check(run)
    })

  fact('is told the places of what it sends', (run) => {
    const sent = run.told<Sent & { ok: boolean }>('sent')
    const answered = sent.filter(({ mode }) => mode === 'sync' || mode === 'async')
    expect(sent.every(({ ok }) => ok)).toBe(true)
    expect(answered).toHaveLength(20)
    expectSamePlaces(answered, run.got('broadcast'))
    for (const { offsetMsgId = '' } of answered) {
      expect(parseOffsetId(offsetMsgId).addr).toBe(run.broker)
    }
  })

  fact('reads what it sent in each way once, unchanged, with keys and tags', (run) => {
    const got = run.got('broadcast')
    expect(run.numbersGot('broadcast')).toEqual(ALL)
    const isLarge = ({ index }: Got): boolean => LARGE.includes(Number(index))
    expectUnchanged(got.filter(isLarge), LARGE_BYTES)
    expectUnchanged(
      got.filter((each) => !isLarge(each)),
      SMALL_BYTES,
    )
    for (const { index, keys, tags } of got) {
      expect([keys.trim(), tags]).toEqual([`k${index}`, isEven(Number(index)) ? 'TagA' : 'TagB'])
    }
  })

  fact('gets only messages with the tag it wants', (run) => {
    expect(run.numbersGot('tags')).toEqual(ALL.filter(isEven))
  })

  fact('reads queues in order', (run) => {
    expect(run.numbersGot('orderly')).toEqual(ALL)
    expectQueueOrder(run.got('orderly'))
  })

  fact('polls all queues', (run) => {
    expect(run.numbersGot('pull')).toEqual(ALL)
    expect(offsetsByQueue(run.got('pull')).size).toBe(QUEUES)
  })

  fact('gets again what it failed to consume', (run) => {
    const tries = run
      .told<Got>('got')
      .filter(({ by, index }) => by === 'retry' && index === String(FAILS_ONCE))
      .map(({ outcome, reconsumeTimes }) => `${outcome} ${reconsumeTimes}`)
    expect(tries).toEqual(['failed 0', 'done 1'])
    expect(run.numbersGot('retry')).toEqual(ALL)
  })

  fact('gets a delayed message when it is due', (run) => {
    const late = run.got('broadcast').filter(({ index }) => DELAYED.includes(Number(index)))
    expect(late).toHaveLength(DELAYED.length)
    for (const { bornTimestamp, storeTimestamp } of late) {
      expect(storeTimestamp - bornTimestamp).toBeGreaterThanOrEqual(DELAY_MS - CLOCK_STEP_MS)
    }
  })

  fact('ends transactions as it knows, and is asked about the one it did not end', (run) => {
    expect(run.told<{ ok: boolean }>('begun').map(({ ok }) => ok)).toEqual([true, true, true])
    const asked = run.told<{ index: string }>('asked').map(({ index }) => index)
    // A machine that is busy may ask about the others, too, before it hears of their ends.
    expect(asked).toContain('50')
    const ended = run.numbersGot('broadcast').filter((index) => index >= 48)
    expect(ended).toEqual(COMMITTED)
  })

  fact('makes and deletes a topic', (run) => {
    expect(run.told('made')).toMatchObject([{ queues: 3 }])
  })

  fact('closes in good order', (run) => {
    expect(run.told('failed')).toEqual([])
    expect(run.told('closed')).toHaveLength(1)
  })
})
