/** The verbs that show who is connected. */
import { type ClientConnection, type SubscriptionData, versionName } from '@rockhopper/protocol'
import { consumerConnections, producerConnections, producers } from '../operations/connections.ts'
import { required, text } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

/** Between the columns of these verbs; Apache's tools leave two in most other tables. */
const ONE_BLANK = ' '

const consumerColumns: readonly Column<ClientConnection>[] = [
  { title: '#ClientId', width: 36, cell: (row) => row.clientId },
  { title: '#ClientAddr', width: 22, cell: (row) => row.clientAddr },
  { title: '#Language', width: 10, cell: (row) => row.language },
  { title: '#Version', width: 0, cell: ({ version }) => versionName(version) },
]

const subscriptionColumns: readonly Column<SubscriptionData>[] = [
  { title: '#Topic', width: 20, cell: ({ topic }) => topic },
  { title: '#SubExpression', width: 0, cell: ({ subString }) => subString },
]

export const consumerConnectionVerb = verb({
  name: 'consumerConnection',
  description: "Query consumer's socket connection, client version and subscription.",
  options: {
    consumerGroup: required(text('g', 'name of the consumer group')),
    brokerAddr: text('b', 'ask this broker, given as ip:port'),
  },
  async run({ client }, { brokerAddr, consumerGroup }) {
    const { address, ...online } = await consumerConnections(client, consumerGroup, brokerAddr)
    const lines = [
      ...formatTable(consumerColumns, online.connectionSet, ONE_BLANK),
      '',
      'Below is subscription:',
      ...formatTable(subscriptionColumns, Object.values(online.subscriptionTable), ONE_BLANK),
      '',
      `ConsumeType: ${online.consumeType}`,
      `MessageModel: ${online.messageModel}`,
      `ConsumeFromWhere: ${online.consumeFromWhere}`,
    ]
    return { lines, json: { address, ...online } }
  },
})

export const producerConnectionVerb = verb({
  name: 'producerConnection',
  description: "Query producer's socket connection and client version.",
  options: {
    producerGroup: required(text('g', 'name of the producer group')),
    topic: required(text('t', 'a topic it sends to')),
  },
  async run({ client }, { producerGroup, topic }) {
    const connections = await producerConnections(client, producerGroup, topic)
    return { lines: connections.map(producerLine), json: connections }
  },
})

export const producerVerb = verb({
  name: 'producer',
  description: "Query producer's instances, connection, status, etc.",
  options: { broker: required(text('b', 'address of the broker, ip:port')) },
  async run({ client }, { broker }) {
    const groups = await producers(client, broker)
    const lines = [...groups].flatMap(([group, instances]) => {
      if (instances.length === 0) return [`producer group (${group}) instances are empty`]
      return instances.map(
        ({ clientId, language, lastUpdateTimestamp, remoteIP, version }) =>
          `producer group (${group}) instance : clientId=${clientId},remoteIP=${remoteIP}, ` +
          `language=${language}, version=${version}, lastUpdateTimestamp=${lastUpdateTimestamp}`,
      )
    })
    return { lines, json: groups }
  },
})

function producerLine(connection: ClientConnection, index: number): string {
  const { clientAddr, clientId, language, version } = connection
  const number = String(index + 1).padStart(4, '0')
  const cells = [clientId.padEnd(32), clientAddr.padEnd(22), language.padEnd(8)]
  return `${number}  ${cells.join(' ')} ${versionName(version)}`
}
