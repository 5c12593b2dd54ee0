/** `mqadmin consumerStatus`: what consumers are doing, and whether they agree about their group. */
import { versionName } from '@rockhopper/protocol'
import { AdminError } from '../errors.ts'
import { consumerConnections, runningInfo } from '../operations/connections.ts'
import {
  type ClientStatus,
  consumerStatus,
  type GroupStatus,
} from '../operations/consumer-status.ts'
import { flag, required, text } from '../options.ts'
import { queueProblems, runningInfoLines } from '../running-info-text.ts'
import { type Column, formatTable } from '../table.ts'
import { type Output, type VerbContext, verb } from '../verb.ts'
import { writeText } from '../written-file.ts'

interface Row {
  readonly index: number
  readonly status: ClientStatus
  readonly file: string
}

const columns: readonly Column<Row>[] = [
  { title: '#Index', width: 10, cell: ({ index }) => index },
  { title: '#ClientId', width: 40, cell: ({ status }) => status.connection.clientId },
  { title: '#Version', width: 20, cell: ({ status }) => versionName(status.connection.version) },
  { title: '#ConsumerRunningInfoFile', width: 0, cell: ({ file }) => file },
]

export const consumerStatusVerb = verb({
  name: 'consumerStatus',
  description: "Query consumer's internal data structure.",
  options: {
    consumerGroup: required(text('g', 'name of the consumer group')),
    clientId: text('i', 'print what this client says, instead of writing files'),
    brokerAddr: text('b', 'ask through this broker, given as ip:port'),
    jstack: flag('s', 'have consumers tell what their threads are doing'),
  },
  async run(context, { brokerAddr, clientId, consumerGroup: group, jstack = false }) {
    if (clientId !== undefined) return oneClient(context, group, clientId, jstack, brokerAddr)
    const status = await consumerStatus(context.client, { group, brokerAddr, jstack })
    const { clients, differences } = status
    const nowMs = context.client.host.clock.nowMs()
    const rows = clients.map((client, at) => rowOf(context, client, at, nowMs))
    const lines = [...formatTable(columns, rows, ' '), '', '', ...verdict(status, nowMs)]
    return { lines, json: { clients, differences } }
  },
})

async function oneClient(
  { client, timeText }: VerbContext,
  group: string,
  clientId: string,
  jstack: boolean,
  brokerAddr: string | undefined,
): Promise<Output> {
  const { address, connectionSet } = await consumerConnections(client, group, brokerAddr)
  if (!connectionSet.some((connection) => connection.clientId === clientId)) {
    const known = connectionSet.map((connection) => connection.clientId).join(', ')
    throw new AdminError(`No client "${clientId}" of group "${group}" is connected, only ${known}.`)
  }
  const info = await runningInfo(client, address, group, clientId, jstack)
  return { lines: runningInfoLines(info, timeText), json: info }
}

/** Writes the file of a client; the row says where, or why there is none. */
function rowOf(context: VerbContext, status: ClientStatus, at: number, nowMs: number): Row {
  const { connection, info, problem = '' } = status
  if (info === undefined) return { index: at + 1, status, file: problem }
  const lines = runningInfoLines(info, context.timeText)
  const path = { directory: String(nowMs), name: connection.clientId }
  return { index: at + 1, status, file: writeText(context.client.host.disk, path, lines) }
}

function verdict({ clients, differences }: GroupStatus, nowMs: number): string[] {
  if (differences.length > 0) {
    return ['WARN: Different subscription in the same group of consumer!!!', ...differences]
  }
  const problems = clients.flatMap(({ connection, info }) =>
    info === undefined ? [] : queueProblems(connection.clientId, info, nowMs),
  )
  return ['Same subscription in the same group of consumer', '', '', 'Rebalance OK', ...problems]
}
