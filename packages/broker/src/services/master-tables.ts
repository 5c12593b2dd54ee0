/**
 * Asks a master for the tables that its slaves keep, all of them or none: topics, groups, offsets of
 * groups, and how far delayed messages are delivered. Understands this suite's masters and Apache's.
 * Owns nothing.
 * Source: Apache classes SlaveSynchronize, BrokerOuterAPI; `broker-api.md` section 15.1.
 */
import {
  asObject,
  type Command,
  type DataVersion,
  dataVersionOf,
  type FieldTable,
  GET_ALL_CONSUMER_OFFSET,
  GET_ALL_DELAY_OFFSET,
  GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
  GET_ALL_TOPIC_CONFIG,
  type JsonObject,
  parseFastjson,
  sameDataVersion,
  type TopicConfigs,
  topicConfigsOf,
} from '@rockhopper/protocol'
import { RemoteError, type RemotingClient } from '@rockhopper/remoting'
import { MAX_ROWS_PER_PAGE } from '../limits.ts'

/** How long the large tables may take, and the others (Apache: the same). */
const LARGE_TIMEOUT_MS = 30_000
const TIMEOUT_MS = 3_000

/** A table that changes between its parts so often is asked for at another time. */
const MAX_BEGINNINGS = 3

/** What a slave is told. */
export interface MasterTables {
  readonly topics: TopicConfigs
  /** As in `subscriptionGroup.json`. */
  readonly groups: JsonObject
  /** As in `consumerOffset.json`, and the bytes it was read from. */
  readonly offsets: JsonObject
  readonly offsetBytes: Buffer
  /** As in `delayOffset.json`. */
  readonly delayOffsets: JsonObject
  /** End of the master's log before the other tables were asked for; Apache's does not tell. */
  readonly logOffset: number | undefined
}

/**
 * Throws remoting errors, and `SyntaxError` when an answer is not the table that it should be: then
 * nothing is known of any of them.
 */
export async function tablesOfMaster(
  client: RemotingClient,
  address: string,
): Promise<MasterTables> {
  const ask = { client, address }
  const [delayOffsets] = await tableIn(ask, GET_ALL_DELAY_OFFSET, 'offsetTable')
  const topics = await wholeTable('topicConfigTable', (seq, dataVersion) => {
    return topicPage(ask, { topicSeq: seq, dataVersion, maxTopicNum: MAX_ROWS_PER_PAGE })
  })
  const groups = await wholeTable('subscriptionGroupTable', (seq, dataVersion) => {
    return groupPage(ask, { groupSeq: seq, dataVersion, maxGroupNum: MAX_ROWS_PER_PAGE })
  })
  const [offsets, offsetBytes] = await tableIn(ask, GET_ALL_CONSUMER_OFFSET, 'offsetTable')
  const { logOffset } = delayOffsets
  return {
    topics: topicConfigsOf(topics),
    ...{ groups, offsets, offsetBytes, delayOffsets },
    logOffset: typeof logOffset === 'number' ? logOffset : undefined,
  }
}

interface Asking {
  readonly client: RemotingClient
  readonly address: string
}

interface TablePage {
  readonly json: JsonObject
  /** Rows there are; undefined when they are all in the answer. */
  readonly total: number | undefined
}

async function tableIn(
  { address, client }: Asking,
  command: Command<FieldTable, FieldTable>,
  table: string,
): Promise<[JsonObject, Buffer]> {
  const { body } = await client.request(address, command, {}, { timeoutMs: TIMEOUT_MS })
  return [withTable(body, table, command.name), Buffer.from(body)]
}

async function topicPage(
  { address, client }: Asking,
  header: { topicSeq: number; dataVersion: string; maxTopicNum: number },
): Promise<TablePage> {
  const options = { timeoutMs: LARGE_TIMEOUT_MS }
  const answer = await client.request(address, GET_ALL_TOPIC_CONFIG, header, options)
  const json = withTable(answer.body, 'topicConfigTable', GET_ALL_TOPIC_CONFIG.name)
  return { json, total: answer.header().totalTopicNum }
}

async function groupPage(
  { address, client }: Asking,
  header: { groupSeq: number; dataVersion: string; maxGroupNum: number },
): Promise<TablePage> {
  const options = { timeoutMs: LARGE_TIMEOUT_MS }
  const answer = await client.request(address, GET_ALL_SUBSCRIPTIONGROUP_CONFIG, header, options)
  const { name } = GET_ALL_SUBSCRIPTIONGROUP_CONFIG
  const json = withTable(answer.body, 'subscriptionGroupTable', name)
  return { json, total: answer.header().totalGroupNum }
}

/** The parts of a table put together: all of one version. */
async function wholeTable(
  table: string,
  ask: (seq: number, dataVersion: string) => Promise<TablePage>,
): Promise<JsonObject> {
  for (let beginnings = 0; beginnings < MAX_BEGINNINGS; beginnings++) {
    const whole = await partsTogether(table, ask)
    if (whole !== undefined) return whole
  }
  throw new SyntaxError(`the ${table} of the master changed each time while it was asked for`)
}

/** Undefined when the table has changed between two parts. */
async function partsTogether(
  table: string,
  ask: (seq: number, dataVersion: string) => Promise<TablePage>,
): Promise<JsonObject | undefined> {
  const rows = new Map<string, unknown>()
  let version: DataVersion | undefined
  for (;;) {
    const { json, total } = await ask(rows.size, version ? JSON.stringify(version) : '')
    const told = dataVersionOf(json['dataVersion'])
    if (version !== undefined && !sameDataVersion(version, told)) return undefined
    version = told
    const before = rows.size
    for (const [name, row] of Object.entries(asObject(json[table]))) rows.set(name, row)
    const isWhole = total === undefined || rows.size >= total || rows.size === before
    if (isWhole) return { ...json, [table]: Object.fromEntries(rows) }
  }
}

/** A body without its table would be taken for an empty one. */
function withTable(body: Buffer, table: string, command: string): JsonObject {
  const json = asObject(parseFastjson(body.toString()))
  const rows = json[table]
  if (typeof rows === 'object' && rows !== null && !Array.isArray(rows)) return json
  throw new SyntaxError(`the answer to ${command} has no ${table}`)
}

/** Whether the master was reached, and refused or answered what cannot be read. */
export function isAnswered(error: unknown): boolean {
  return error instanceof RemoteError || error instanceof SyntaxError
}
