/**
 * A broker that keeps messages in memory and does as a test says: it can refuse, be silent, forget,
 * and it writes down what it was asked.
 */
import { type Host, pause } from '@rockhopper/host'
import {
  CONSUMER_SEND_MSG_BACK,
  decodeBatch,
  decodeHeartbeat,
  decodeQueueLockRequest,
  encodeConsumerIds,
  encodeLockedQueues,
  encodeProperties,
  GET_CONSUMER_LIST_BY_GROUP,
  GET_MAX_OFFSET,
  GET_MIN_OFFSET,
  HEART_BEAT,
  type HeartbeatData,
  hostAddress,
  LITE_PULL_MESSAGE,
  LOCK_BATCH_MQ,
  NOTIFY_CONSUMER_IDS_CHANGED,
  PULL_MESSAGE,
  pullFlag,
  QUERY_CONSUMER_OFFSET,
  recordBytes,
  responseCode,
  SEARCH_OFFSET_BY_TIMESTAMP,
  SEND_BATCH_MESSAGE,
  SEND_MESSAGE_V2,
  UNLOCK_BATCH_MQ,
  UNREGISTER_CLIENT,
  UPDATE_CONSUMER_OFFSET,
  writeRecord,
} from '@rockhopper/protocol'
import {
  type Connection,
  Refusal,
  RemotingServer,
  type Reply,
  type RequestContext,
  Router,
} from '@rockhopper/remoting'

type SendReply = Reply<(typeof SEND_MESSAGE_V2)['tables']['answer']>
type PullReply = Reply<(typeof PULL_MESSAGE)['tables']['answer']>
type SendHeader = Parameters<typeof SEND_MESSAGE_V2.request.jsonPairs>[0]
type PullHeader = Parameters<typeof PULL_MESSAGE.request.jsonPairs>[0]
type SendBackHeader = Parameters<typeof CONSUMER_SEND_MSG_BACK.request.jsonPairs>[0]

/** What a test can put in the place of what the broker would do. */
export interface BrokerScript {
  /** Answers a send in its place, or lets it pass by giving back undefined. */
  onSend?: (
    header: SendHeader,
    body: Buffer,
  ) => SendReply | Promise<SendReply | undefined> | undefined
  onPull?: (header: PullHeader) => PullReply | Promise<PullReply | undefined> | undefined
  /** Broker id that answers to pulls name for the next one; the master's when absent. */
  suggests?: number
  onHeartbeat?: () => void
  onSendBack?: (header: SendBackHeader) => void
  /** Whether a lock may be given to a client; Apache's rule when absent. */
  onLock?: (clientId: string, queueId: number) => boolean
}

export interface Stored {
  readonly topic: string
  readonly queueId: number
  readonly body: Buffer
  readonly properties: string
  readonly sysFlag: number
  readonly flag: number
}

/** Holds a request for ever: its sender hears nothing. */
export function silence<T>(): Promise<T> {
  return new Promise(() => {})
}

export class ScriptedBroker {
  readonly name: string
  readonly address: string
  readonly script: BrokerScript = {}
  /** Everything that was stored, in order. */
  readonly stored: Stored[] = []
  readonly heartbeats: HeartbeatData[] = []
  readonly pulls: PullHeader[] = []
  /** Those of `pulls` that came with the code of consumers that fetch messages. */
  readonly litePulls: PullHeader[] = []
  readonly sentBack: SendBackHeader[] = []
  /** All ext fields of each send. */
  readonly sendExtras: Readonly<Record<string, string>>[] = []
  readonly left: string[] = []
  /** `group topic queueId` → offset. */
  readonly offsets = new Map<string, number>()
  /** Locks that were given back, in order. */
  readonly unlocked: string[] = []
  /** `group topic queueId` → who has the lock, and until when. */
  readonly locks = new Map<string, { clientId: string; untilMs: number }>()
  /** Names of commands in the order in which they came, with the client where it is known. */
  readonly events: string[] = []
  readonly #host: Host
  readonly #records = new Map<string, Buffer[]>()
  readonly #firstOffsets = new Map<string, number>()
  readonly #members = new Map<string, Map<string, Connection>>()
  #server: RemotingServer | undefined
  #arrivals: (() => void)[] = []

  private constructor(host: Host, name: string, address: string) {
    this.#host = host
    this.name = name
    this.address = address
  }

  static async open(host: Host, name: string): Promise<ScriptedBroker> {
    const ip = host.machine.addresses[0] ?? ''
    const broker = new ScriptedBroker(host, name, `${ip}:10911`)
    broker.#server = await RemotingServer.listen(host, {
      addresses: [{ host: '0.0.0.0', port: 10_911 }],
      router: broker.#router(),
      onConnectionClosed: (connection) => broker.#forget(connection),
    })
    return broker
  }

  get connections(): readonly Connection[] {
    return [...(this.#server?.connections ?? [])]
  }

  members(group: string): readonly string[] {
    return [...(this.#members.get(group)?.keys() ?? [])]
  }

  /** Stores a message as if a producer had sent it. */
  put(topic: string, queueId: number, body: string, properties: Record<string, string> = {}): void {
    const record = { topic, queueId, body: Buffer.from(body), sysFlag: 0, flag: 0 }
    this.#store({ ...record, properties: encodeProperties(properties) })
  }

  /** Lets the queue begin at an offset, as if what was before had been deleted. */
  beginAt(topic: string, queueId: number, offset: number): void {
    this.#firstOffsets.set(`${topic} ${queueId}`, offset)
  }

  /** Loses all members of a group, but not their connections. */
  forget(group: string): void {
    this.#members.delete(group)
  }

  /** Tells the members of a group that they changed. */
  notify(group: string): void {
    for (const connection of this.#members.get(group)?.values() ?? []) {
      connection.oneway(NOTIFY_CONSUMER_IDS_CHANGED, { consumerGroup: group })
    }
  }

  #router(): Router {
    return new Router(this.#host.logger)
      .on(SEND_MESSAGE_V2, (header, context) => this.#send(header, context))
      .on(SEND_BATCH_MESSAGE, (header, context) => this.#send(header, context))
      .on(PULL_MESSAGE, (header, context) => this.#pull(header, context))
      .on(LITE_PULL_MESSAGE, (header, context) => {
        this.litePulls.push(header)
        return this.#pull(header, context)
      })
      .on(HEART_BEAT, (_header, context) => {
        this.script.onHeartbeat?.()
        return this.#heartbeat(context)
      })
      .on(UNREGISTER_CLIENT, (header) => this.#leave(header.clientID))
      .on(GET_CONSUMER_LIST_BY_GROUP, ({ consumerGroup }) => this.#list(consumerGroup))
      .on(QUERY_CONSUMER_OFFSET, ({ consumerGroup, topic, queueId }) => {
        const offset = this.offsets.get(`${consumerGroup} ${topic} ${queueId}`)
        if (offset === undefined) throw new Refusal(responseCode.QUERY_NOT_FOUND, 'none')
        return { header: { offset } }
      })
      .on(UPDATE_CONSUMER_OFFSET, (header) => {
        this.#commit(header.consumerGroup, header.topic, header.queueId, header.commitOffset)
        return {}
      })
      .on(GET_MAX_OFFSET, ({ topic, queueId }) => ({
        header: { offset: this.#end(topic, queueId) },
      }))
      .on(GET_MIN_OFFSET, ({ topic, queueId }) => ({
        header: { offset: this.#firstOffsets.get(`${topic} ${queueId}`) ?? 0 },
      }))
      .on(SEARCH_OFFSET_BY_TIMESTAMP, ({ timestamp }) => ({ header: { offset: timestamp % 1000 } }))
      .on(LOCK_BATCH_MQ, ({ leaseMs }, { body }) => this.#lock(body, leaseMs))
      .on(UNLOCK_BATCH_MQ, (_header, { body }) => this.#unlock(body))
      .on(CONSUMER_SEND_MSG_BACK, (header) => {
        this.events.push('send back')
        this.script.onSendBack?.(header)
        this.sentBack.push(header)
        return {}
      })
  }

  async #send(header: SendHeader, context: RequestContext): Promise<SendReply | undefined> {
    const body = Buffer.from(context.body)
    this.sendExtras.push(context.extraMap())
    const scripted = await this.script.onSend?.(header, body)
    if (scripted !== undefined) return scripted
    const { topic, queueId, sysFlag = 0, flag = 0 } = header
    const properties = header.properties?.toString() ?? ''
    const entries = header.batch
      ? decodeBatch(body).map((entry) => ({ ...entry, properties: entry.properties.toString() }))
      : [{ body, properties, flag }]
    const queueOffset = this.#end(topic, queueId)
    for (const entry of entries) this.#store({ topic, queueId, sysFlag, ...entry })
    const msgId = entries.map((_, i) => `${this.name}-${queueOffset + i}`).join(',')
    return { header: { msgId, queueId, queueOffset } }
  }

  async #pull(header: PullHeader, context: RequestContext): Promise<PullReply | undefined> {
    this.pulls.push(header)
    const scripted = await this.script.onPull?.(header)
    if (scripted !== undefined) return scripted
    const { consumerGroup, topic, queueId, sysFlag, commitOffset = 0 } = header
    if ((sysFlag & pullFlag.commitOffset) !== 0) {
      this.#commit(consumerGroup, topic, queueId, commitOffset)
    }
    const endMs = this.#host.clock.monotonicMs() + (header.suspendTimeoutMillis ?? 0)
    while (header.queueOffset === this.#end(topic, queueId)) {
      const leftMs = endMs - this.#host.clock.monotonicMs()
      if (leftMs <= 0 || !context.connection.isOpen) break
      await context.hold(this.#arrival(leftMs))
    }
    return this.#found(header)
  }

  #found({ topic, queueId, queueOffset, maxMsgNums }: PullHeader): PullReply {
    const first = this.#firstOffsets.get(`${topic} ${queueId}`) ?? 0
    const end = this.#end(topic, queueId)
    const suggestWhichBrokerId = this.script.suggests ?? 0
    const bounds = { suggestWhichBrokerId, minOffset: first, maxOffset: end }
    if (queueOffset < first || queueOffset > end) {
      const nextBeginOffset = queueOffset < first ? first : end
      return {
        code: responseCode.PULL_OFFSET_MOVED,
        header: { ...bounds, nextBeginOffset },
      }
    }
    const from = queueOffset - first
    const body = this.#queue(topic, queueId).slice(from, from + maxMsgNums)
    const nextBeginOffset = queueOffset + body.length
    if (body.length > 0) return { header: { ...bounds, nextBeginOffset }, body }
    return { code: responseCode.PULL_NOT_FOUND, header: { ...bounds, nextBeginOffset } }
  }

  #heartbeat({ body, connection }: RequestContext): Reply {
    const heartbeat = decodeHeartbeat(body)
    this.heartbeats.push(heartbeat)
    for (const { groupName } of heartbeat.consumerDataSet) {
      const members = this.#members.get(groupName) ?? new Map<string, Connection>()
      this.#members.set(groupName, members)
      const isNew = !members.has(heartbeat.clientID)
      members.set(heartbeat.clientID, connection)
      if (isNew) this.notify(groupName)
    }
    return {}
  }

  #lock(body: Buffer, leaseMs = 60_000): Reply {
    const { consumerGroup, clientId, queues } = decodeQueueLockRequest(body)
    const nowMs = this.#host.clock.monotonicMs()
    const granted = queues.filter(({ topic, queueId }) => {
      const key = `${consumerGroup} ${topic} ${queueId}`
      const lock = this.locks.get(key)
      if (this.script.onLock?.(clientId, queueId) === false) return false
      if (lock !== undefined && lock.clientId !== clientId && lock.untilMs > nowMs) return false
      this.locks.set(key, { clientId, untilMs: nowMs + leaseMs })
      return true
    })
    return { body: [encodeLockedQueues(granted)] }
  }

  #unlock(body: Buffer): Reply {
    const { consumerGroup, clientId, queues } = decodeQueueLockRequest(body)
    for (const { topic, queueId } of queues) {
      const key = `${consumerGroup} ${topic} ${queueId}`
      if (this.locks.get(key)?.clientId !== clientId) continue
      this.locks.delete(key)
      this.unlocked.push(`${clientId} ${topic} ${queueId}`)
    }
    return {}
  }

  #list(group: string): Reply {
    const ids = this.members(group)
    if (ids.length === 0) throw new Refusal(responseCode.SYSTEM_ERROR, 'no consumer for this group')
    return { body: [encodeConsumerIds(ids)] }
  }

  #leave(clientId: string): Reply {
    this.events.push(`leave ${clientId}`)
    this.left.push(clientId)
    for (const [group, members] of this.#members) if (members.delete(clientId)) this.notify(group)
    return {}
  }

  #forget(gone: Connection): void {
    for (const [group, members] of this.#members) {
      for (const [clientId, connection] of members) {
        if (connection === gone && members.delete(clientId)) this.notify(group)
      }
    }
  }

  #commit(group: string, topic: string, queueId: number, offset: number): void {
    this.events.push(`commit ${topic} ${queueId} ${offset}`)
    this.offsets.set(`${group} ${topic} ${queueId}`, offset)
  }

  #store(stored: Stored): void {
    const { topic, queueId, body, properties, sysFlag, flag } = stored
    const queueOffset = this.#end(topic, queueId)
    const host = hostAddress(this.address.split(':')[0] ?? '', 10_911)
    const content = {
      topic: Buffer.from(topic),
      queueId,
      flag,
      sysFlag,
      bornTimestamp: 1,
      bornHost: host,
      storeHost: host,
      reconsumeTimes: 0,
      preparedTransactionOffset: 0,
      body,
      properties: [Buffer.from(properties)],
    }
    const sizeBytes = recordBytes(content)
    const record = Buffer.alloc(sizeBytes)
    const logOffset = this.stored.length * 1000
    writeRecord(record, 0, sizeBytes, content, { queueOffset, logOffset, storeTimestamp: 2 })
    this.#queue(topic, queueId).push(record)
    this.stored.push(stored)
    const arrivals = this.#arrivals
    this.#arrivals = []
    for (const arrive of arrivals) arrive()
  }

  #arrival(timeoutMs: number): Promise<void> {
    const arrived = new AbortController()
    this.#arrivals.push(() => arrived.abort())
    return pause(this.#host.clock, timeoutMs, arrived.signal)
  }

  #end(topic: string, queueId: number): number {
    const first = this.#firstOffsets.get(`${topic} ${queueId}`) ?? 0
    return first + this.#queue(topic, queueId).length
  }

  #queue(topic: string, queueId: number): Buffer[] {
    const key = `${topic} ${queueId}`
    const queue = this.#records.get(key) ?? []
    this.#records.set(key, queue)
    return queue
  }
}
