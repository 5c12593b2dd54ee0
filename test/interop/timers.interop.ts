/**
 * Messages that wait for a time of their own, while their store goes from our broker to Apache's and
 * back: whoever has it when one is due delivers it, once, and nobody delivers one that was recalled.
 */
import { DefaultProducer, type SendResult } from '@rockhopper/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import { MovingStore, travelBroker } from './moving-store.ts'
import { ours } from './ours.ts'
import { patienceMs } from './patience.ts'
import type { Broker, ServerFamily } from './server.ts'
import { Traveller, type TravelMessage } from './traveller.ts'
import { makeTopic, poll } from './wire.ts'

const TOPIC = 'travel-timed'
/** Half of it passes before a broker is stopped. */
const SOON_MS = 2_000
/** Where the next broker is started by then, as a rule; others are late then. */
const LATER_MS = [7_000, 20_000, 20_500, 32_000]
/** For the broker after the next. */
const LAST_MS = 60_000
/** A slot of time, and a look at it; a machine that is busy may take as long again as for an answer. */
const LATE_MS = 2_500

interface Wish {
  readonly msgId: string
  readonly delayMs: number
}

class Voyage {
  readonly #namesrv: string
  readonly #store: MovingStore
  readonly #traveller: Traveller
  readonly #wishes: Wish[] = []
  #broker: Broker | undefined
  #startedMs = 0
  /** The longest time that a look at what is there took, since this broker was started. */
  #slowestLookMs = 0

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
    this.#broker = await this.#store.open(family)
    this.#startedMs = Date.now()
    this.#slowestLookMs = 0
    await makeTopic({ namesrv: this.#namesrv, broker: this.#broker.addr }, TOPIC, 1)
  }

  /** Sends messages for this broker and the next two; one that is recalled, where that is possible. */
  async send(mayRecall: boolean): Promise<void> {
    const producer = new DefaultProducer({
      ...{ group: 'travel-timers', namesrvAddr: this.#namesrv, sendTimeoutMs: 10_000 },
    })
    await producer.start()
    const send = (delayMs: number): Promise<SendResult> =>
      producer.send({ topic: TOPIC, body: `after ${delayMs} ms`, delayMs })
    for (const delayMs of [SOON_MS, ...LATER_MS, LAST_MS]) {
      this.#wishes.push({ msgId: (await send(delayMs)).msgId, delayMs })
    }
    const { recallHandle } = await send(LATER_MS[1] ?? 0)
    expect(recallHandle).toBeDefined()
    if (mayRecall) await producer.recall(TOPIC, recallHandle ?? '')
    else this.#wishes.push({ msgId: '', delayMs: LATER_MS[1] ?? 0 })
    await producer.close()
    await this.#untilThere((delayMs) => delayMs === SOON_MS)
  }

  async stop(): Promise<void> {
    await this.#broker?.stop()
  }

  /** Waits until all that was sent before is there, but what is for the broker after the next. */
  async check(isLast: boolean): Promise<void> {
    await this.#untilThere((delayMs) => isLast || delayMs !== LAST_MS)
    const messages = await this.#messages()
    const ids = messages.map(({ msgId }) => msgId)
    expect(ids.length).toBe(new Set(ids).size)
    for (const { bornTimestamp, msgId, storeTimestamp } of messages) {
      const delayMs = this.#wishes.find((wish) => wish.msgId === msgId)?.delayMs ?? LATER_MS[1] ?? 0
      expect(storeTimestamp).toBeGreaterThanOrEqual(bornTimestamp + delayMs)
      const latest = Math.max(bornTimestamp + delayMs, this.#startedMs)
      if (storeTimestamp > this.#startedMs) {
        expect(storeTimestamp).toBeLessThanOrEqual(latest + LATE_MS + this.#slowestLookMs)
      }
    }
  }

  async #untilThere(isWanted: (delayMs: number) => boolean): Promise<void> {
    const wanted = this.#wishes.filter(({ delayMs }) => isWanted(delayMs)).length
    const areThere = async (): Promise<boolean> => (await this.#messages()).length >= wanted
    await poll(`${wanted} messages that were due`, areThere, LAST_MS + patienceMs)
  }

  async #messages(): Promise<TravelMessage[]> {
    const beganMs = Date.now()
    const { messages } = await this.#traveller.read(this.#broker?.addr ?? '', [TOPIC])
    this.#slowestLookMs = Math.max(this.#slowestLookMs, Date.now() - beganMs)
    return messages
  }
}

const legs: readonly [string, ServerFamily][] = [
  ['ours', ours],
  ["Apache's", apache],
  ['ours', ours],
]

describe('messages that wait, in a store that changes hands after orderly stops,', () => {
  let voyage: Voyage

  beforeAll(async () => {
    voyage = await Voyage.prepare(inject('runDir'))
  })
  afterAll(endAll)

  for (const [number, [whose, family]] of legs.entries()) {
    const isLast = number === legs.length - 1
    describe(`${number + 1}: with ${whose}`, () => {
      beforeAll(() => voyage.enter(family))

      if (number > 0) {
        test('are delivered at their times, and each once', () => voyage.check(isLast))
      }
      if (!isLast) {
        test('are taken', () => voyage.send(family === ours))
        test('are left in good order', () => voyage.stop())
      }
    })
  }
})
