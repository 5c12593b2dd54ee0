/** A broker, producers that begin and end transactions, and what consumers see of them. */
import {
  asObject,
  CHECK_TRANSACTION_STATE,
  decodeProperties,
  END_TRANSACTION,
  encodeHeartbeat,
  HEART_BEAT,
  type Header,
  parseOffsetMessageId,
  readRecord,
  type StoredRecord,
} from '@rockhopper/protocol'
import { Router } from '@rockhopper/remoting'
import { readJsonFile } from '@rockhopper/store'
import { BrokerScene, recordsOf, type TestClient, timeoutMs } from './scene.ts'

export const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
export const OP_TOPIC = 'RMQ_SYS_TRANS_OP_HALF_TOPIC'
export const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC'

export const COMMIT = 8
export const ROLLBACK = 12
export const UNKNOWN = 0

type CheckHeader = Header<typeof CHECK_TRANSACTION_STATE.tables.request>
type EndHeader = Header<typeof END_TRANSACTION.tables.request>

/** The place of a half message, as its producer knows it. */
export interface HalfKnown {
  readonly queueOffset: number
  readonly logOffset: number
}

/** A question of the broker. */
export interface Asked {
  readonly header: CheckHeader
  readonly record: StoredRecord
  readonly atMs: number
}

export class Producer {
  readonly client: TestClient
  readonly asked: Asked[] = []
  readonly #scene: TransactionScene

  constructor(scene: TransactionScene) {
    this.#scene = scene
    const router = new Router(scene.world.host('broker').doors.logger)
    router.on(CHECK_TRANSACTION_STATE, (header, { body }) => {
      const record = readRecord(Buffer.from(body), 0)
      if (record === undefined) throw new Error('the question has no message')
      this.asked.push({ header, record, atMs: scene.world.clock.nowMs() })
      return undefined
    })
    this.client = scene.client(router)
  }

  /** Says which group it is of, so that it is asked. */
  async join(group = 'producers'): Promise<void> {
    const body = encodeHeartbeat({
      clientID: this.client.clientId,
      producerDataSet: [{ groupName: group }],
      consumerDataSet: [],
      heartbeatFingerprint: 0,
      withoutSub: false,
    })
    const { remoting } = this.client
    const options = { body: [body], timeoutMs }
    await this.#scene.settle(remoting.call(this.#scene.address, HEART_BEAT, {}, options))
  }

  async begin(body: string, properties = '', topic = 'T'): Promise<HalfKnown> {
    const all = `TRAN_MSG\x01true\x02PGROUP\x01producers\x02UNIQ_KEY\x01ID-${body}\x02${properties}`
    const answer = await this.client.send(topic, body, { sysFlag: 4 }, all)
    if (answer.code !== 0) throw new Error(answer.remark ?? `code ${answer.code}`)
    const { msgId, queueOffset } = answer.header()
    const logOffset = parseOffsetMessageId(msgId)?.logOffset
    if (logOffset === undefined) throw new Error(`${msgId} is no offset id`)
    return { queueOffset, logOffset }
  }

  ending(half: HalfKnown, commitOrRollback: number, given: Partial<EndHeader> = {}) {
    const header: EndHeader = {
      topic: 'T',
      producerGroup: 'producers',
      tranStateTableOffset: half.queueOffset,
      commitLogOffset: half.logOffset,
      commitOrRollback,
      fromTransactionCheck: false,
      msgId: 'ID',
      ...given,
    }
    const { remoting } = this.client
    return remoting.call(this.#scene.address, END_TRANSACTION, header, { timeoutMs })
  }

  end(half: HalfKnown, commitOrRollback: number, given: Partial<EndHeader> = {}) {
    return this.#scene.settle(this.ending(half, commitOrRollback, given))
  }

  /** Answers a question that it was asked. */
  reply({ header }: Asked, commitOrRollback: number) {
    const place = { queueOffset: header.tranStateTableOffset, logOffset: header.commitLogOffset }
    return this.end(place, commitOrRollback, { fromTransactionCheck: true })
  }
}

export class TransactionScene extends BrokerScene {
  static override async started(settings = ''): Promise<TransactionScene> {
    const scene = new TransactionScene(settings)
    await scene.start()
    return scene
  }

  producer(): Producer {
    return new Producer(this)
  }

  async joined(): Promise<Producer> {
    const producer = this.producer()
    await producer.join()
    return producer
  }

  pass(ms: number): Promise<void> {
    return this.world.clock.advance(ms)
  }

  /** The same while a producer says that it lives. */
  async passWith(ms: number, producer: Producer): Promise<void> {
    const endMs = this.world.clock.nowMs() + ms
    for (;;) {
      const leftMs = endMs - this.world.clock.nowMs()
      if (leftMs <= 0) return
      await this.pass(Math.min(leftMs, 30_000))
      await producer.join()
    }
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

  /** What the file of offsets has of the broker's own group. */
  savedOffset(topic: string): number | undefined {
    const { disk } = this.world.host('broker').doors
    const file = asObject(readJsonFile(disk, '/store/config/consumerOffset.json'))
    const table = asObject(file['offsetTable'])
    const offset = asObject(table[`${topic}@CID_RMQ_SYS_TRANS`])['0']
    return typeof offset === 'number' ? offset : undefined
  }
}

export function propertiesOf(record: StoredRecord | undefined): Record<string, string> {
  return Object.fromEntries(decodeProperties(record?.properties ?? ''))
}
