/**
 * Transactions that are open while their store goes from our broker to Apache's and back: whoever has
 * it asks about them, commits what is to be committed, once, and nothing else.
 */
import { type LocalState, TransactionProducer } from '@rockhopper/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
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
const WAIT_MS = 40_000
/** New ones are asked about before those that were asked about once. */
const settings = {
  ...{ transactionTimeOut: '1000', transactionCheckInterval: '3000' },
  ...{ transactionCheckMax: '100', transactionOpBatchInterval: '300' },
}
/** Longer than it takes to write down what is over. */
const NOTED_MS = 1_500

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
    await poll(`${wanted.length} messages of transactions`, areThere, WAIT_MS)
    expect(this.#asked).toEqual(expect.arrayContaining(this.#openBefore))
    await pause(NOTED_MS)
    const askedBefore = this.#asked.length
    await pause(2 * Number(settings.transactionCheckInterval))
    expect(this.#asked.slice(askedBefore)).toEqual([])
    expect(await this.#seen()).toEqual(wanted)
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
      await poll(`questions about ${open.join(', ')}`, areAsked, WAIT_MS)
    }
    await pause(NOTED_MS)
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
          this.#asked.push(index)
          return index < this.#knownBefore ? verdict(index) : 'unknown'
        },
      },
    })
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
  afterAll(endAll)

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
