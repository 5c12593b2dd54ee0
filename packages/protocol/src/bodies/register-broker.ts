/**
 * What a broker tells a name server about itself: its topics, and the version of that table.
 * Source: Apache class RegisterBrokerBody; `namesrv.md` sections 3.1 to 3.3.
 *
 * The compressed form, which only 4.9 brokers get right, is a zlib stream of:
 * ```
 *  int32 length | DataVersion as JSON
 *  int32 count  | per topic: int32 length | name readQueues writeQueues perm filterType [attributes]
 *  int32 length | JSON array of filter servers
 *  int32 count  | per static topic: int32 length | TopicQueueMappingInfo as JSON      5.0 and later
 * ```
 */
import { crc32, inflateSync } from 'node:zlib'
import { parseFastjson } from '../fastjson.ts'
import { type DataVersion, dataVersionOf, NO_DATA_VERSION } from './data-version.ts'
import { queueMappingOf, queueMappingsOf, type TopicQueueMappingInfo } from './queue-mapping.ts'
import { asList, asNumber, asObject, asText } from './shape.ts'
import {
  type TopicConfig,
  topicConfig,
  topicConfigOf,
  topicConfigsOf,
  topicFilterTypeOf,
  topicWrapperJson,
} from './topic-config.ts'

/** From V3_0_11 on the table of topics stands inside an outer object. */
const VERSION_WITH_OUTER_OBJECT = 37

/** From V5_0_0 on the compressed form ends with the static topics. */
const VERSION_WITH_MAPPINGS = 413

/** First byte of a zlib stream; no JSON begins with it. */
const ZLIB_FIRST_BYTE = 0x78

/** A compressed body that grows beyond this is refused: a hundred thousand topics need less. */
const MAX_INFLATED_BYTES = 32 * 1024 * 1024

export interface RegisterBrokerBody {
  readonly dataVersion: DataVersion
  /** Undefined when nothing is said about them. */
  readonly filterServers: readonly string[] | undefined
  /** Static topics, by name. */
  readonly queueMappings: ReadonlyMap<string, TopicQueueMappingInfo>
  readonly topics: ReadonlyMap<string, TopicConfig>
}

/** The uncompressed form, with every part that an Apache name server must find. */
export function encodeRegisterBroker(
  body: Pick<RegisterBrokerBody, 'dataVersion' | 'topics'>,
): Buffer {
  const topicConfigSerializeWrapper = topicWrapperJson(body)
  return Buffer.from(JSON.stringify({ filterServerList: [], topicConfigSerializeWrapper }))
}

/**
 * Reads either form; which one it is shows in the first byte, for 5.x brokers that compress say they
 * did not. `version` is the sender's. Throws `SyntaxError` when the body is of neither form.
 */
export function decodeRegisterBroker(body: Buffer, version: number): RegisterBrokerBody {
  if (body.length === 0) return registration({ dataVersion: NO_DATA_VERSION, topics: new Map() })
  if (body[0] === ZLIB_FIRST_BYTE) return decodeCompressed(inflated(body), version)
  const json = parseFastjson(body.toString())
  if (version < VERSION_WITH_OUTER_OBJECT) return registration(topicConfigsOf(json))
  const wrapper = asObject(json)['topicConfigSerializeWrapper']
  return {
    ...topicConfigsOf(wrapper),
    filterServers: filterServersOf(asObject(json)['filterServerList']),
    queueMappings: queueMappingsOf(asObject(wrapper)['topicQueueMappingInfoMap']),
  }
}

/** The checksum that goes into the header: CRC-32 of the body as it is sent, without its top bit. */
export function registrationCrc32(body: Uint8Array): number {
  return crc32(body) & 0x7fff_ffff
}

function registration(
  told: Pick<RegisterBrokerBody, 'dataVersion' | 'topics'>,
): RegisterBrokerBody {
  return { ...told, filterServers: undefined, queueMappings: new Map() }
}

function filterServersOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.map((server) => asText(server)) : undefined
}

function inflated(body: Buffer): Buffer {
  try {
    return inflateSync(body, { maxOutputLength: MAX_INFLATED_BYTES })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new SyntaxError(`the compressed body cannot be inflated: ${why}`, { cause })
  }
}

function decodeCompressed(bytes: Buffer, version: number): RegisterBrokerBody {
  const reader = new PartReader(bytes)
  const dataVersion = dataVersionOf(parseFastjson(reader.text()))
  const topics = new Map<string, TopicConfig>()
  for (let left = reader.int32(); left > 0; left--) {
    const topic = topicFromText(reader.text())
    topics.set(topic.topicName, topic)
  }
  const filterServers = asList(parseFastjson(reader.text())).map((server) => asText(server))
  const queueMappings = new Map<string, TopicQueueMappingInfo>()
  const mappings = version >= VERSION_WITH_MAPPINGS ? reader.int32() : 0
  for (let left = mappings; left > 0; left--) {
    const mapping = queueMappingOf(parseFastjson(reader.text()))
    queueMappings.set(mapping.topic, mapping)
  }
  return { dataVersion, filterServers, queueMappings, topics }
}

/** A topic as one line: name, queues, permission, filter type and, from 5.0 on, attributes. */
function topicFromText(text: string): TopicConfig {
  const [topicName, readQueueNums, writeQueueNums, perm, topicFilterType, attributes] =
    text.split(' ')
  if (topicName === undefined || topicFilterType === undefined) {
    throw new SyntaxError(`"${text.slice(0, 200)}" is not a topic: it must have five parts`)
  }
  return topicConfig(topicName, {
    attributes: attributesOf(attributes),
    perm: asNumber(perm),
    readQueueNums: asNumber(readQueueNums),
    topicFilterType: topicFilterTypeOf(topicFilterType),
    writeQueueNums: asNumber(writeQueueNums),
  })
}

/** Blanks inside tear the attributes apart: what cannot be read is dropped, as Apache does. */
function attributesOf(text: string | undefined): TopicConfig['attributes'] {
  if (text === undefined) return {}
  try {
    return topicConfigOf({ attributes: parseFastjson(text) }).attributes
  } catch {
    return {}
  }
}

/** Reads lengths and texts one behind the other. Throws `SyntaxError` at the end of the bytes. */
class PartReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int32(): number {
    this.#need(4)
    const value = this.#bytes.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  text(): string {
    const length = this.int32()
    this.#need(length)
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  #need(count: number): void {
    if (count >= 0 && this.#at + count <= this.#bytes.length) return
    throw new SyntaxError(
      `the compressed body ends at byte ${this.#bytes.length}, inside a part of ${count} bytes`,
    )
  }
}
