/** The verbs that show who is connected. */
import { type ClientConnection, versionName } from '@rockhopper/protocol'
import { consumerConnections, producerConnections, producers } from '../operations/connections.ts'
import { required, text } from '../options.ts'
import { verb } from '../verb.ts'

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
      row(['#ClientId', 36], ['#ClientAddr', 22], ['#Language', 10], ['#Version', 0]),
      ...online.connectionSet.map(({ clientAddr, clientId, language, version }) =>
        row([clientId, 36], [clientAddr, 22], [language, 10], [versionName(version), 0]),
      ),
      '',
      'Below is subscription:',
      row(['#Topic', 20], ['#SubExpression', 0]),
      ...Object.values(online.subscriptionTable).map(({ subString, topic }) =>
        row([topic, 20], [subString, 0]),
      ),
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
  const cells = row([clientId, 32], [clientAddr, 22], [language, 8], [versionName(version), 0])
  return `${number}  ${cells}`
}

/** One blank between columns: Apache's tools leave two in their other tables. */
function row(...cells: readonly (readonly [text: string, width: number])[]): string {
  return cells.map(([cell, width]) => cell.padEnd(width)).join(' ')
}
