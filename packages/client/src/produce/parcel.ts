/**
 * Makes requests out of messages: one for a message, one for a batch. Source: Apache classes
 * DefaultMQProducerImpl and MessageBatch; `client.md` sections 3.4 and 3.8. Owns the unique keys.
 */
import type { Clock } from '@rockhopper/host'
import {
  encodeBatch,
  isRetryTopic,
  MAX_PROPERTIES_BYTES,
  type UniqueKeys,
} from '@rockhopper/protocol'
import { badMessage } from '../errors.ts'
import { contentOf, type DraftRules, draftOf, isDelayed, UNCOMPRESSED } from './draft.ts'
import type { Message } from './message.ts'
import type { Member, Parcel, SendHeader } from './sender.ts'

const NOTHING = Buffer.alloc(0)

export interface ParcelParts {
  readonly clock: Clock
  readonly keys: UniqueKeys
  readonly group: string
  /** Queues per broker of a topic that is created by its first message. */
  readonly newTopicQueues: number
  /** The topic that it is made after. */
  readonly newTopicTemplate: string
  readonly rules: DraftRules
}

export class Parcels {
  readonly #parts: ParcelParts

  constructor(parts: ParcelParts) {
    this.#parts = parts
  }

  /** The request for one message. Throws `ClientError` BAD_MESSAGE. */
  of(message: Message): Parcel {
    const { rules, keys } = this.#parts
    const { topic } = message
    const { msgId, body, properties, flag, sysFlag } = draftOf(message, rules, keys)
    const header = this.#header(topic, properties, flag, sysFlag, false)
    return {
      topic,
      msgId,
      header,
      body: [body],
      sizeBytes: body.length,
      isBatch: false,
      canJoin: sysFlag === 0 && standsAlone(message) === undefined,
      waitStored: message.waitStored ?? true,
      message,
      members: undefined,
    }
  }

  /** The request for several messages of one topic, of which `first` is one. Throws `ClientError` BAD_MESSAGE. */
  ofBatch(first: Message, messages: readonly Message[]): Parcel {
    for (const message of messages) checkMember(message, first)
    // Each message keeps its own body: what is compressed could not be told from what is not.
    const rules = { ...this.#parts.rules, ...UNCOMPRESSED }
    const drafts = messages.map((message) => draftOf(message, rules, this.#parts.keys))
    const body = encodeBatch(drafts)
    const { maxMessageBytes } = this.#parts.rules
    if (body.length > maxMessageBytes) {
      throw badMessage(
        `a batch of ${messages.length} messages to "${first.topic}" takes ${body.length} bytes, ` +
          `${maxMessageBytes} are allowed`,
        'cut it with splitBatch, or raise maxMessageBytes',
      )
    }
    const { topic, waitStored = true } = first
    const header = this.#header(topic, envelopeOf(waitStored), 0, 0, true)
    const msgId = drafts.map((draft) => draft.msgId).join(',')
    const rest = { isBatch: true, canJoin: false, waitStored, message: first, members: drafts }
    return { topic, msgId, header, body: [body], sizeBytes: body.length, ...rest }
  }

  #header(
    topic: string,
    properties: Buffer,
    flag: number,
    sysFlag: number,
    batch: boolean,
  ): SendHeader {
    return {
      producerGroup: this.#parts.group,
      topic,
      defaultTopic: this.#parts.newTopicTemplate,
      defaultTopicQueueNums: this.#parts.newTopicQueues,
      queueId: 0,
      sysFlag,
      bornTimestamp: this.#parts.clock.nowMs(),
      flag,
      properties,
      reconsumeTimes: 0,
      unitMode: false,
      maxReconsumeTimes: undefined,
      batch,
      brokerName: '',
    }
  }
}

/** The same request with more properties. Throws `ClientError` BAD_MESSAGE. */
export function withPairs(parcel: Parcel, pairs: Buffer): Parcel {
  const { header, topic } = parcel
  const properties = Buffer.concat([header.properties ?? NOTHING, pairs])
  if (properties.length > MAX_PROPERTIES_BYTES) {
    throw badMessage(
      `the properties of a message to "${topic}" take ${properties.length} bytes, ` +
        `${MAX_PROPERTIES_BYTES} are allowed`,
      'move some of them into the body',
    )
  }
  // What was added has a meaning in messages that are sent alone only.
  return { ...parcel, header: { ...header, properties }, canJoin: false }
}

/** Bytes of a message in a batch beside its body and properties. Source: `batch.ts` of protocol. */
const ENTRY_FIXED_BYTES = 22

/** What a parcel takes in a batch. */
export function entryBytes({ header, sizeBytes }: Parcel): number {
  return ENTRY_FIXED_BYTES + sizeBytes + (header.properties?.length ?? 0)
}

/** The longest unique key, that of a machine with an IPv6 address alone. */
const LONGEST_KEY = 'F'.repeat(56)

/** The most that a message takes in a batch. Throws `ClientError` BAD_MESSAGE. */
export function memberBytes(message: Message): number {
  const { body, properties } = contentOf(message, LONGEST_KEY)
  return ENTRY_FIXED_BYTES + body.length + properties.length
}

/** One request for several parcels that can join and have topic and `waitStored` in common. */
export function joined(parcels: readonly Parcel[]): Parcel {
  const [first] = parcels
  if (first === undefined) throw new RangeError('a batch needs a parcel')
  const { topic, waitStored } = first
  const members = parcels.map(memberOf)
  const body = encodeBatch(members)
  return {
    topic,
    msgId: first.msgId,
    header: {
      ...first.header,
      properties: envelopeOf(waitStored),
      flag: 0,
      sysFlag: 0,
      batch: true,
    },
    body: [body],
    sizeBytes: body.length,
    isBatch: true,
    canJoin: false,
    waitStored,
    message: first.message,
    members,
  }
}

function memberOf({ header, body, message }: Parcel): Member {
  const [content = NOTHING] = body
  const properties = header.properties ?? NOTHING
  return { flag: header.flag ?? 0, body: content, properties, message }
}

function envelopeOf(waitStored: boolean): Buffer {
  return Buffer.from(`WAIT\x01${waitStored}\x02`)
}

/** Messages of a batch share one request, and so its topic and its terms. */
function checkMember(message: Message, first: Message): void {
  const problem = memberProblem(message, first)
  if (problem === undefined) return
  throw badMessage(`a batch to "${first.topic}" has a message ${problem}`, 'send it by itself')
}

function memberProblem(message: Message, first: Message): string | undefined {
  if (message.topic !== first.topic) return `to the topic "${message.topic}"`
  if ((message.waitStored ?? true) !== (first.waitStored ?? true)) return 'with another waitStored'
  if (message.shardingKey !== first.shardingKey) return 'with another shardingKey'
  return standsAlone(message)
}

/** Why a message can be in no batch, if it cannot. */
function standsAlone(message: Message): string | undefined {
  const { topic } = message
  if (isDelayed(message)) return 'with a delay'
  return isRetryTopic(topic) ? 'to a retry topic' : undefined
}
