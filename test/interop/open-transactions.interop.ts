/**
 * Transactions that are open while their store goes from our broker to Apache's and back: whoever has
 * it asks about them, commits what is to be committed, once, and nothing else.
 */
import { type LocalState, TransactionProducer } from '@rockhopper/client'
import { nodeHost } from '@rockhopper/host'
import { RemotingClient } from '@rockhopper/remoting'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { messagesOf, type PullOptions } from '../faults/queue-pulls.ts'
import { type HalfSeen, openOf } from '../faults/transaction-judge.ts'
import { endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import { range } from './expectations.ts'
import { MovingStore, travelBroker } from './moving-store.ts'
import { ours } from './ours.ts'
import type { Broker, ServerFamily } from './server.ts'
import { Traveller } from './traveller.ts'
import { makeTopic, poll } from './wire.ts'

const TOPIC = 'travel-settled'
/** In each of two waves that a broker gets. */
const COUNT = 9
/** New ones are asked about before those that were asked about once. */
const settings = {
  ...{ transactionTimeOut: '1000', transactionCheckInterval: '3000' },
  ...{ transactionCheckMax: '100', transactionOpBatchInterval: '300' },
}
const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
const OP_TOPIC = 'RMQ_SYS_TRANS_OP_HALF_TOPIC'

/** Of three the first is committed at once, the second rolled back, the third known only later. */
function isKnownLater(index: number): boolean {
  return index % 3 === 2
}

function isCommitted(index: number): boolean {
  return index % 3 === 0 || (isKnownLater(index) && index % 2 === 0)
}

class Voyage {
  readonly #namesrv: string
  readonly #store: MovingStore
  readonly #traveller: Traveller
  readonly #asked: number[] = []
  /**
   * Those that Apache's broker asked about though it had been told their end: it had not noted that
   * yet. It stores what it is told to commit twice as often.
   */
  readonly #toldTwice = new Set<number>()
  readonly #remoting = new RemotingClient(nodeHost())
  #family: ServerFamily = ours
  #broker: Broker | undefined
  #producer: TransactionProducer<number> | undefined
  #next = 0
  /** Those that were begun before this broker had the store are known by now. */
  #knownBefore = 0

  private constructor(namesrv: string, store: MovingStore, traveller: Traveller) {
    this.#namesrv = namesrv
    this.#store = store
    this.#traveller = traveller
  }

  static async prepare(runDir: string): Promise<Voyage> {
    const { addr } = await ours.startNameServer(runDir)
    const traveller = await Traveller.open(runDir, addr, travelBroker)
    return new Voyage(addr, await MovingStore.create(runDir, addr), traveller)
  }

  async enter(family: ServerFamily): Promise<void> {
    this.#asked.length = 0
    this.#family = family
    this.#knownBefore = this.#next
    this.#broker = await this.#store.open(family, settings)
    await makeTopic({ namesrv: this.#namesrv, broker: this.#broker.addr }, TOPIC, 1)
    this.#producer = this.#newProducer()
    await this.#producer.start()
  }

  /** Waits until all that was open has ended as it should. */
  async check(): Promise<void> {
    const wanted = range(0, this.#knownBefore).filter(isCommitted)
    const areThere = async (): Promise<boolean> => (await this.#seen()).length >= wanted.length
    await poll(`${wanted.length} messages of transactions`, areThere)
    expect(this.#asked).toEqual(expect.arrayContaining(this.#openBefore))
    await this.#untilNoted(() => false)
    const askedBefore = this.#asked.length
    await pause(2 * Number(settings.transactionCheckInterval))
    expect(this.#asked.slice(askedBefore)).toEqual([])
    expect([...new Set(await this.#seen())]).toEqual(wanted)
    const onceIn = (indexes: number[]): number[] => indexes.filter((i) => !this.#toldTwice.has(i))
    expect(onceIn(await this.#seen())).toEqual(onceIn(wanted))
  }

  /** Begins transactions in two waves; some stay open, and have been asked about. */
  async send(): Promise<void> {
    for (let wave = 0; wave < 2; wave++) {
      for (const index of range(this.#next, this.#next + COUNT)) {
        const properties = { index: String(index) }
        const message = { topic: TOPIC, body: `transaction ${index}`, properties }
        const result = await this.#producer?.sendInTransaction(message, index)
        expect(result?.status).toBe('SEND_OK')
      }
      this.#next += COUNT
      const open = range(this.#next - COUNT, this.#next).filter(isKnownLater)
      const areAsked = async (): Promise<boolean> =>
        open.every((index) => this.#asked.includes(index))
      await poll(`questions about ${open.join(', ')}`, areAsked)
    }
    await this.#untilNoted(isKnownLater)
  }

  async close(): Promise<void> {
    this.#remoting.close()
    await endAll()
  }

  async stop(): Promise<void> {
    await this.#producer?.close()
    await this.#broker?.stop()
  }

  get #openBefore(): number[] {
    const lastBroker = range(this.#knownBefore - 2 * COUNT, this.#knownBefore)
    return lastBroker.filter((index) => index >= 0 && isKnownLater(index))
  }

  #newProducer(): TransactionProducer<number> {
    const verdict = (index: number): LocalState => (isCommitted(index) ? 'commit' : 'rollback')
    return new TransactionProducer<number>({
      ...{ group: 'travel-payments', namesrvAddr: this.#namesrv, sendTimeoutMs: 10_000 },
      listener: {
        executeLocalTransaction: (_, index) => (isKnownLater(index) ? 'unknown' : verdict(index)),
        checkLocalTransaction: ({ properties }) => {
          const index = Number(properties['index'])
          const isOver =
            index < this.#knownBefore ? this.#asked.includes(index) : !isKnownLater(index)
          if (isOver && this.#family === apache) this.#toldTwice.add(index)
          this.#asked.push(index)
          return index < this.#knownBefore ? verdict(index) : 'unknown'
        },
      },
    })
  }

  /** Waits until the broker has noted the end of each transaction but those that may be open. */
  async #untilNoted(mayBeOpen: (index: number) => boolean): Promise<void> {
    const areNoted = async (): Promise<boolean> => {
      const halves: HalfSeen[] = []
      for await (const { body, queueOffset } of messagesOf(this.#place(HALF_TOPIC), 0)) {
        halves.push({ queueOffset, body: body.toString() })
      }
      const over = new Set<number>()
      for await (const { body } of messagesOf(this.#place(OP_TOPIC), 0)) {
        for (const offset of body.toString().split(',')) if (offset !== '') over.add(Number(offset))
      }
      return openOf({ halves, over }).every((body) => mayBeOpen(Number(body.split(' ')[1])))
    }
    await poll('end of transactions in the notes of the broker', areNoted)
  }

  #place(topic: string): PullOptions {
    const address = this.#broker?.addr ?? ''
    return { remoting: this.#remoting, address, topic, group: 'travel-notes' }
  }

  /** Numbers of the transactions that are seen, of those whose end is known. */
  async #seen(): Promise<number[]> {
    const { messages } = await this.#traveller.read(this.#broker?.addr ?? '', [TOPIC])
    const indexes = messages.map(({ index }) => Number(index))
    return indexes.filter((index) => index < this.#knownBefore).sort((a, b) => a - b)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

const legs: readonly [string, ServerFamily][] = [
  ['ours', ours],
  ["Apache's", apache],
  ['ours', ours],
]

describe('transactions that are open, in a store that changes hands after orderly stops,', () => {
  let voyage: Voyage

  beforeAll(async () => {
    voyage = await Voyage.prepare(inject('runDir'))
  })
  afterAll(() => voyage.close())

  for (const [number, [whose, family]] of legs.entries()) {
    describe(`${number + 1}: with ${whose}`, () => {
      beforeAll(() => voyage.enter(family))

      if (number > 0) test('end as their producers say, and once', () => voyage.check())
      if (number < legs.length - 1) {
        test('are begun', () => voyage.send())
        test('are left in good order', () => voyage.stop())
      }
    })
  }
})
