/**
 * Messages as consumers get them, out of the body of an answer to a pull. Source: Apache class
 * MessageDecoder; `broker-api.md` sections 2.1 to 2.5. Owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import {
  type Compression,
  decodeProperties,
  type HostAddress,
  ipText,
  isRetryTopic,
  offsetIdPrefix,
  offsetMessageId,
  type RecordView,
  scanView,
} from '@rockhopper/protocol'
import { plainBody } from '../compression/plain-body.ts'
import { type Names, PLAIN_NAMES } from '../namespace/names.ts'

/** The property that says why a message failed the last time (ours; Apache does not have it). */
export const CONSUME_ERROR = 'CONSUME_ERROR'

/** Whether and how the body is compressed. */
const BODY_FLAGS = 0x701

/**
 * A message as a broker sent it. What lies in its record is decoded when it is asked for: most
 * handlers look at the body and little else.
 */
export class ReceivedMessage {
  /** The topic it was sent to, also when it comes from the group's retry topic. */
  readonly topic: string
  readonly body: Buffer
  /** How `body` is still compressed: `none`, except where this library cannot read it. */
  readonly compression: Compression
  /** Why `body` is still compressed, as a sentence; undefined when it is not. */
  readonly bodyProblem: string | undefined
  /** The queue it was read from: that of the retry topic for a message that failed before. */
  readonly queue: MessageQueue
  readonly queueOffset: number
  /** How often it was consumed without success before. Written by the consumer only. */
  reconsumeTimes: number
  readonly #record: RecordView
  #properties: Readonly<Record<string, string>> | undefined

  /** `queue`: where the record lies; `names`: how the application names topics. */
  constructor(record: RecordView, queue: MessageQueue, names: Names) {
    const { body, compression, bodyProblem } = plainBody(record.body, record.sysFlag)
    this.#record = record
    this.body = body
    this.compression = compression
    this.bodyProblem = bodyProblem
    this.queue = queue
    this.queueOffset = record.queueOffset
    this.reconsumeTimes = record.reconsumeTimes
    const { topic } = queue
    const firstTopic = isRetryTopic(topic) ? this.properties['RETRY_TOPIC'] : undefined
    this.topic = firstTopic === undefined ? topic : names.bare(firstTopic)
  }

  /** All properties, those of the system included. */
  get properties(): Readonly<Record<string, string>> {
    this.#properties ??= Object.fromEntries(decodeProperties(this.#record.properties))
    return this.#properties
  }

  get tag(): string | undefined {
    return this.properties['TAGS']
  }

  get keys(): readonly string[] {
    return keysOf(this.properties['KEYS'])
  }

  /** Unique key given by the producer; the broker's id where there is none. */
  get msgId(): string {
    return this.properties['UNIQ_KEY'] ?? this.offsetMsgId
  }

  /** Place in the broker's log, in bytes. */
  get logOffset(): number {
    return this.#record.logOffset
  }

  /** The number that the sending application gave it. */
  get flag(): number {
    return this.#record.flag
  }

  /** When the producer made it, in ms since 1970. */
  get bornAtMs(): number {
    return this.#record.bornTimestamp
  }

  /** When the broker stored it, in ms since 1970. */
  get storedAtMs(): number {
    return this.#record.storeTimestamp
  }

  /** Why it failed the last time, where the broker has kept that. */
  get lastError(): string | undefined {
    return this.properties[CONSUME_ERROR]
  }

  /** The body as the broker has it, and the bits that say how it is compressed. */
  get stored(): { readonly body: Buffer; readonly sysFlag: number } {
    const { body, sysFlag } = this.#record
    return { body, sysFlag: sysFlag & BODY_FLAGS }
  }

  /** The broker's own id: its address and the place in its log. */
  get offsetMsgId(): string {
    return offsetMessageId(offsetIdPrefix(this.#record.storeHost), this.#record.logOffset)
  }

  /** Address of the producer, as the broker saw it. */
  get bornHost(): string {
    return hostText(this.#record.bornHost)
  }

  /** Address of the broker that stored it first. */
  get storeHost(): string {
    return hostText(this.#record.storeHost)
  }
}

/** All messages of a body. Throws `RangeError` when the body is not a row of whole messages. */
export function decodeMessages(
  body: Buffer,
  brokerName: string,
  names: Names = PLAIN_NAMES,
): ReceivedMessage[] {
  const messages: ReceivedMessage[] = []
  let queue: MessageQueue | undefined
  let wireTopic: string | undefined
  for (let at = 0; at < body.length; ) {
    const scanned = scanView(body, at, false)
    if (scanned.kind !== 'record') {
      throw new RangeError(
        `the broker "${brokerName}" sent ${body.length} bytes of messages, ` +
          `of which those from byte ${at} on are not a message`,
      )
    }
    const { record } = scanned
    if (wireTopic !== record.topic || queue?.queueId !== record.queueId) {
      queue = { topic: names.bare(record.topic), brokerName, queueId: record.queueId }
      wireTopic = record.topic
    }
    messages.push(new ReceivedMessage(record, queue, names))
    at += record.sizeBytes
  }
  return messages
}

function keysOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(' ').filter((key) => key !== '')
}

function hostText({ ip, port }: HostAddress): string {
  const host = ipText(ip)
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
