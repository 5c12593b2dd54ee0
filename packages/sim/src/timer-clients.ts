/**
 * The applications of a life of delayed messages: one that sends them and calls some off, and one
 * that looks at the topic all the time. They speak the protocol by hand, so that each request is
 * made once. Each owns its connections; the reader owns how far it has read.
 */
import type { Host } from '@rockhopper/host'
import {
  PULL_MESSAGE,
  pullFlag,
  RECALL_MESSAGE,
  readRecord,
  responseCode,
  SEND_MESSAGE_V2,
  type StoredRecord,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { ConnectionError, RemotingClient, TimeoutError } from '@rockhopper/remoting'
import type { DeliveredCopy, TimedSend, TimerHistory } from './timer-history.ts'
import { type DelayWish, lengthOf } from './timer-plan.ts'

const TOPIC = 'delayed'
const REQUEST_TIMEOUT_MS = 10_000
/** A pull that finds nothing is held so long. */
const HOLD_MS = 15_000
const MAX_MESSAGES = 32

export class TimerSender {
  readonly #doors: Host
  readonly #address: string
  readonly #history: TimerHistory
  readonly #handles = new Map<TimedSend, string>()
  #remoting: RemotingClient

  constructor(doors: Host, address: string, history: TimerHistory) {
    this.#doors = doors
    this.#address = address
    this.#history = history
    this.#remoting = new RemotingClient(doors)
  }

  /** Whoever is at the broker's address now does not know the connections of before. */
  renew(): void {
    this.#remoting.close()
    this.#remoting = new RemotingClient(this.#doors)
  }

  /** Makes the topic. */
  async open(): Promise<void> {
    const header = { topic: TOPIC, readQueueNums: 1, writeQueueNums: 1, perm: 6 }
    const timeoutMs = REQUEST_TIMEOUT_MS
    await this.#remoting.request(this.#address, UPDATE_AND_CREATE_TOPIC, header, { timeoutMs })
  }

  /** Sends a message once. Rejects when the broker refuses it. */
  async send(body: string, wish: DelayWish): Promise<void> {
    const nowMs = this.#doors.clock.nowMs()
    const sent = this.#history.send(body, wish, nowMs + lengthOf(wish))
    const header = {
      ...{ producerGroup: 'timers', topic: TOPIC, defaultTopic: 'TBW102', queueId: 0 },
      ...{ defaultTopicQueueNums: 1, sysFlag: 0, bornTimestamp: nowMs, flag: 0 },
      properties: Buffer.from(propertyOf(wish, sent.dueWallMs)),
    }
    const options = { body: [Buffer.from(body)], timeoutMs: REQUEST_TIMEOUT_MS }
    await whileThere(async () => {
      const answer = await this.#remoting.call(this.#address, SEND_MESSAGE_V2, header, options)
      if (answer.code !== responseCode.SUCCESS) throw new Error(`${body}: ${answer.remark}`)
      this.#handles.set(sent, answer.header().recallHandle ?? '')
      this.#history.stored(sent)
    })
  }

  /** Calls a message off, if the broker has it and takes that. */
  async recall(body: string): Promise<void> {
    const sent = this.#history.sends.find((each) => each.body === body)
    const recallHandle = sent && this.#handles.get(sent)
    if (sent === undefined || recallHandle === undefined) return
    const header = { producerGroup: 'timers', topic: TOPIC, recallHandle }
    this.#history.recall(sent)
    await whileThere(async () => {
      const options = { timeoutMs: REQUEST_TIMEOUT_MS }
      const answer = await this.#remoting.call(this.#address, RECALL_MESSAGE, header, options)
      if (answer.code === responseCode.SUCCESS) this.#history.recalled(sent)
    })
  }
}

export class TimerReader {
  readonly #doors: Host
  readonly #address: string
  readonly #history: TimerHistory
  #remoting: RemotingClient | undefined
  #offset = 0

  constructor(doors: Host, address: string, history: TimerHistory) {
    this.#doors = doors
    this.#address = address
    this.#history = history
  }

  /**
   * Reads from the beginning, as the end of the queue may be gone, until the broker is gone. Rejects
   * on a bug.
   */
  async run(): Promise<void> {
    this.end()
    this.#remoting = new RemotingClient(this.#doors)
    this.#offset = 0
    await this.#follow(this.#remoting)
  }

  end(): void {
    this.#remoting?.close()
    this.#remoting = undefined
  }

  /** Everything the topic has. */
  async readAll(): Promise<DeliveredCopy[]> {
    const remoting = new RemotingClient(this.#doors)
    const copies: DeliveredCopy[] = []
    for (;;) {
      const records = await this.#pull(remoting, copies.length, 0)
      if (records.length === 0) break
      for (const { body, queueOffset, storeTimestamp } of records) {
        copies.push({ body: body.toString(), queueOffset, storeTimestamp })
      }
    }
    remoting.close()
    return copies
  }

  /** Until the broker is gone: then it is begun anew. */
  async #follow(remoting: RemotingClient): Promise<void> {
    await whileThere(async () => {
      while (this.#remoting === remoting) {
        const records = await this.#pull(remoting, this.#offset, HOLD_MS)
        if (this.#remoting !== remoting) return
        for (const { body } of records) this.#history.seen(body.toString())
        this.#offset += records.length
      }
    })
  }

  async #pull(
    remoting: RemotingClient,
    queueOffset: number,
    holdMs: number,
  ): Promise<StoredRecord[]> {
    const header = {
      ...{ consumerGroup: 'watchers', topic: TOPIC, queueId: 0, queueOffset },
      ...{ maxMsgNums: MAX_MESSAGES, subscription: '*', suspendTimeoutMillis: holdMs },
      sysFlag: pullFlag.subscription | (holdMs > 0 ? pullFlag.suspend : 0),
    }
    const timeoutMs = holdMs + REQUEST_TIMEOUT_MS
    const answer = await remoting.call(this.#address, PULL_MESSAGE, header, { timeoutMs })
    if (answer.code === responseCode.PULL_NOT_FOUND) return []
    if (answer.code !== responseCode.SUCCESS) throw new Error(`a pull: ${answer.remark}`)
    const records: StoredRecord[] = []
    for (let at = 0; at < answer.body.length; ) {
      const record = readRecord(answer.body, at)
      if (record === undefined) throw new Error(`byte ${at} of a pull begins no record`)
      records.push(record)
      at += record.sizeBytes
    }
    return records
  }
}

function propertyOf(wish: DelayWish, dueWallMs: number): string {
  switch (wish.kind) {
    case 'level':
      return `DELAY\x01${wish.level}\x02`
    case 'at':
      return `TIMER_DELIVER_MS\x01${dueWallMs}\x02`
    case 'delay':
      return wish.unit === 's'
        ? `TIMER_DELAY_SEC\x01${wish.delayMs / 1_000}\x02`
        : `TIMER_DELAY_MS\x01${wish.delayMs}\x02`
  }
}

/** What the broker's absence breaks off is no surprise. */
async function whileThere(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof ConnectionError || error instanceof TimeoutError)) throw error
  }
}
