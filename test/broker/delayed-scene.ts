/** A broker, a producer of delayed messages, and a look at what was delivered when. */
import type { StoredRecord } from '@rockhopper/protocol'
import { BrokerScene, recordsOf, type TestClient } from './scene.ts'

/** How late a message may be. */
export const LATE_MS = 100

export class DelayedScene extends BrokerScene {
  #producer: TestClient | undefined

  static override async started(settings = ''): Promise<DelayedScene> {
    const scene = new DelayedScene(settings)
    await scene.start()
    return scene
  }

  get producer(): TestClient {
    this.#producer ??= this.client()
    return this.#producer
  }

  override async start(): Promise<void> {
    await super.start()
    // Connections to a machine that lost power look as if they lived.
    this.#producer = undefined
  }

  pass(ms: number): Promise<void> {
    return this.world.clock.advance(ms)
  }

  async sendDelayed(body: string, level: number | string, more = ''): Promise<void> {
    const answer = await this.producer.send('T', body, {}, `DELAY\x01${level}\x02${more}`)
    if (answer.code !== 0) throw new Error(answer.remark ?? `code ${answer.code}`)
  }

  /** All messages of a queue. */
  async messages(topic = 'T', queueId = 0): Promise<StoredRecord[]> {
    const reader = this.client()
    const records: StoredRecord[] = []
    for (;;) {
      const offset = records.length
      const answer = await reader.pull(topic, offset, { queueId, maxMsgNums: 1_000 })
      if (answer.code !== 0) return records
      records.push(...recordsOf(answer))
    }
  }

  async bodies(topic = 'T'): Promise<string[]> {
    return (await this.messages(topic)).map(({ body }) => body.toString())
  }

  /** How long after it was born each message was delivered, in ms. */
  async waits(topic = 'T'): Promise<number[]> {
    const messages = await this.messages(topic)
    return messages.map(({ bornTimestamp, storeTimestamp }) => storeTimestamp - bornTimestamp)
  }
}
