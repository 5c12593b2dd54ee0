/**
 * Makes requests out of messages: one for a message, one for a batch. Source: Apache classes
 * DefaultMQProducerImpl and MessageBatch; `client.md` sections 3.4 and 3.8. Owns the unique keys.
 */
import type { Clock } from '@rockhopper/host'
import { encodeBatch, isRetryTopic, type UniqueKeys } from '@rockhopper/protocol'
import { type DraftRules, draftOf } from './draft.ts'
import { badMessage } from './errors.ts'
import type { Message } from './message.ts'
import { NEW_TOPIC_TEMPLATE } from './routes.ts'
import type { Parcel, SendHeader } from './sender.ts'

export interface ParcelParts {
  readonly clock: Clock
  readonly keys: UniqueKeys
  readonly group: string
  /** Queues per broker of a topic that is created by its first message. */
  readonly newTopicQueues: number
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
    return { topic, msgId, header, body: [body], sizeBytes: body.length, isBatch: false }
  }

  /** The request for several messages of one topic, of which `first` is one. Throws `ClientError` BAD_MESSAGE. */
  ofBatch(first: Message, messages: readonly Message[]): Parcel {
    for (const message of messages) checkMember(message, first)
    // Each message keeps its own body: what is compressed could not be told from what is not.
    const rules = { ...this.#parts.rules, compressFromBytes: Number.POSITIVE_INFINITY }
    const drafts = messages.map((message) => draftOf(message, rules, this.#parts.keys))
    const body = encodeBatch(drafts)
    const { maxMessageBytes } = this.#parts.rules
    if (body.length > maxMessageBytes) {
      throw badMessage(
        `a batch of ${messages.length} messages to "${first.topic}" takes ${body.length} bytes, ` +
          `${maxMessageBytes} are allowed`,
        'split it, or raise maxMessageBytes',
      )
    }
    const envelope = Buffer.from(`WAIT\x01${first.waitStored ?? true}\x02`)
    const header = this.#header(first.topic, envelope, 0, 0, true)
    const msgId = drafts.map((draft) => draft.msgId).join(',')
    const { topic } = first
    return { topic, msgId, header, body: [body], sizeBytes: body.length, isBatch: true }
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
      defaultTopic: NEW_TOPIC_TEMPLATE,
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

/** Messages of a batch share one request, and so its topic and its terms. */
function checkMember(message: Message, first: Message): void {
  const problem = memberProblem(message, first)
  if (problem === undefined) return
  throw badMessage(`a batch to "${first.topic}" has a message ${problem}`, 'send it by itself')
}

function memberProblem(message: Message, first: Message): string | undefined {
  if (message.topic !== first.topic) return `to the topic "${message.topic}"`
  if ((message.waitStored ?? true) !== (first.waitStored ?? true)) return 'with another waitStored'
  if (message.delayLevel !== undefined || message.deliverAtMs !== undefined) return 'with a delay'
  return isRetryTopic(message.topic) ? 'to a retry topic' : undefined
}
