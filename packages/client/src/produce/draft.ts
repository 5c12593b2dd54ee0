/**
 * From an application's message to the parts of a request: checked, with its unique key, its
 * properties as bytes, its body compressed when that pays. Source: Apache classes Validators and
 * DefaultMQProducerImpl; `client.md` sections 3.1, 3.4 and 3.13. Owns nothing.
 */
import {
  type Codec,
  compressedFlags,
  encodeProperties,
  MAX_PROPERTIES_BYTES,
  type UniqueKeys,
} from '@rockhopper/protocol'
import { compress } from '../compression/plain-body.ts'
import { badMessage } from '../errors.ts'
import { isReserved } from '../reserved-properties.ts'
import type { Message } from './message.ts'

/** Source: Apache messageDelayLevel. */
const DELAY_LEVELS = 18

const NAME_END = '\x01'
const VALUE_END = '\x02'
const NAME_END_CODE = 1
const VALUE_END_CODE = 2
/** Nothing above it counts as blank, as in Java's `String.trim`. */
const SPACE_CODE = 0x20

/** A message ready for the wire. */
export interface Draft {
  readonly message: Message
  readonly msgId: string
  /** As it is sent, compressed or not. */
  readonly body: Buffer
  readonly properties: Buffer
  readonly flag: number
  readonly sysFlag: number
}

export interface DraftRules {
  readonly maxMessageBytes: number
  readonly compressFromBytes: number
  readonly compressType: Codec
  readonly compressLevel: number
  /** Levels of delay that brokers have; 18 when absent. */
  readonly delayLevels?: number
  /** Namespace that messages name as where they are from. */
  readonly instanceId?: string | undefined
}

/** For bodies that are to travel as they are. */
export const UNCOMPRESSED: Omit<DraftRules, 'maxMessageBytes'> = {
  compressFromBytes: Number.POSITIVE_INFINITY,
  compressType: 'zlib',
  compressLevel: 5,
}

/** Body and properties of a message as a batch holds them. Throws `ClientError` BAD_MESSAGE. */
export function contentOf(
  message: Message,
  msgId: string,
): { readonly body: Buffer; readonly properties: Buffer } {
  return { body: bodyOf(message), properties: propertiesOf(message, msgId) }
}

/** Checks a message and makes it ready. Throws `ClientError` BAD_MESSAGE. */
export function draftOf(message: Message, rules: DraftRules, keys: UniqueKeys): Draft {
  if (typeof message.topic !== 'string') throw badMessage('a message has no topic', 'name one')
  const plain = bodyOf(message)
  checkSize(message, plain.length, rules.maxMessageBytes)
  if (message.delayLevel !== undefined) checkLevel(message, message.delayLevel, rules)
  const packed = plain.length < rules.compressFromBytes ? undefined : compressed(plain, rules)
  const msgId = keys.next()
  return {
    message,
    msgId,
    body: packed ?? plain,
    properties: propertiesOf(message, msgId, rules.instanceId),
    flag: flagOf(message),
    sysFlag: packed === undefined ? 0 : compressedFlags[rules.compressType],
  }
}

function bodyOf({ topic, body }: Message): Buffer {
  if (Buffer.isBuffer(body)) return body
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) {
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  }
  throw badMessage(`a message to "${topic}" has no body`, 'give it a Uint8Array or a string')
}

function checkSize({ topic }: Message, sizeBytes: number, maxMessageBytes: number): void {
  if (sizeBytes === 0) {
    throw badMessage(`a message to "${topic}" has an empty body`, 'send at least one byte')
  }
  if (sizeBytes > maxMessageBytes) {
    throw badMessage(
      `a message to "${topic}" has ${sizeBytes} bytes, ${maxMessageBytes} are allowed`,
      "make it smaller, or raise maxMessageBytes here and the broker's maxMessageSize",
    )
  }
}

/** A broker takes a level that it has not for its last one: the message would come too early. */
function checkLevel(
  { topic }: Message,
  delayLevel: number,
  { delayLevels = DELAY_LEVELS }: DraftRules,
): void {
  if (!(delayLevel > delayLevels)) return
  throw badMessage(
    `a message to "${topic}" has the delay level ${delayLevel}, ${delayLevels} is the last one`,
    "use delayMs, or set delayLevels to as many as the brokers' messageDelayLevel has",
  )
}

/** The compressed body; undefined when it would not be smaller. */
function compressed(body: Buffer, { compressLevel, compressType }: DraftRules): Buffer | undefined {
  const packed = compress(compressType, body, compressLevel)
  return packed.length < body.length ? packed : undefined
}

function flagOf({ topic, flag = 0 }: Message): number {
  if ((flag | 0) === flag) return flag
  throw badMessage(`a message to "${topic}" has the flag ${flag}`, 'use a whole number of 32 bits')
}

function propertiesOf(message: Message, msgId: string, instanceId?: string): Buffer {
  const { tag, keys, properties, shardingKey } = message
  let text = `UNIQ_KEY\x01${msgId}\x02WAIT\x01${message.waitStored ?? true}\x02`
  if (tag !== undefined) text += pair(message, 'TAGS', tag)
  if (keys !== undefined) {
    text += pair(message, 'KEYS', typeof keys === 'string' ? keys : keys.join(' '))
  }
  if (shardingKey !== undefined) text += pair(message, '__SHARDINGKEY', shardingKey)
  if (instanceId !== undefined) text += pair(message, 'INSTANCE_ID', instanceId)
  if (isDelayed(message)) text += delayPair(message)
  if (properties !== undefined) text += ownPairs(message, properties)
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_PROPERTIES_BYTES) return bytes
  throw badMessage(
    `the properties of a message to "${message.topic}" take ${bytes.length} bytes, ` +
      `${MAX_PROPERTIES_BYTES} are allowed`,
    'move some of them into the body',
  )
}

function ownPairs(message: Message, properties: Readonly<Record<string, string>>): string {
  for (const [name, value] of Object.entries(properties)) {
    if (name === '' || isReserved(name)) {
      throw badMessage(
        `a message to "${message.topic}" has a property named "${name}", which is reserved`,
        'use another name, or the field of the message that sets it',
      )
    }
    pair(message, name, value)
  }
  return encodeProperties(properties)
}

function pair(message: Message, name: string, value: string): string {
  const problem = textProblem(name) ?? textProblem(value)
  if (problem === undefined) return name + NAME_END + value + VALUE_END
  throw badMessage(
    `the property "${name}" of a message to "${message.topic}" ${problem}`,
    'change it',
  )
}

function textProblem(text: string): string | undefined {
  if (typeof text !== 'string') return 'is not text'
  let isBlank = true
  // One look at each character: a search and a copy without blanks take three calls.
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === NAME_END_CODE || code === VALUE_END_CODE) {
      return 'contains the character U+0001 or U+0002, which separates properties'
    }
    if (code > SPACE_CODE) isBlank = false
  }
  return isBlank ? 'is empty' : undefined
}

/** Whether a message is to be delivered later. */
export function isDelayed({ delayLevel, delayMs, deliverAtMs }: Message): boolean {
  return delayLevel !== undefined || delayMs !== undefined || deliverAtMs !== undefined
}

/** No message is sent for a time after it, as a number of ms: the year 33658. */
const LAST_MS = 1e15

function delayPair(message: Message): string {
  const { delayLevel, delayMs, deliverAtMs, topic } = message
  const wishes = [delayLevel, delayMs, deliverAtMs].filter((wish) => wish !== undefined)
  if (wishes.length > 1) {
    throw badMessage(
      `a message to "${topic}" has more than one of delayLevel, delayMs and deliverAtMs`,
      'keep one of them',
    )
  }
  if (delayLevel !== undefined) {
    if (isWhole(delayLevel)) return pairOf('DELAY', delayLevel)
    throw badMessage(
      `a message to "${topic}" has the delay level ${delayLevel}`,
      'use a whole number from 1 to 18',
    )
  }
  if (delayMs !== undefined) {
    if (isWhole(delayMs)) return pairOf('TIMER_DELAY_MS', delayMs)
    throw badMessage(
      `a message to "${topic}" has delayMs ${delayMs}`,
      'use whole milliseconds, 1 at the least',
    )
  }
  if (deliverAtMs !== undefined && isWhole(deliverAtMs)) {
    return pairOf('TIMER_DELIVER_MS', deliverAtMs)
  }
  throw badMessage(
    `a message to "${topic}" has deliverAtMs ${deliverAtMs}`,
    'use whole milliseconds since 1970',
  )
}

function isWhole(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value < LAST_MS
}

function pairOf(name: string, value: number): string {
  return name + NAME_END + value + VALUE_END
}
