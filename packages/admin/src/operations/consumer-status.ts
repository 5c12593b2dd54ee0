/** What the consumers of a group say of themselves, and whether they agree about their group. */
import type { ClientConnection, ConsumerRunningInfo } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { consumerConnections, runningInfo } from './connections.ts'

export interface ClientStatus {
  readonly connection: ClientConnection
  /** Absent when the client did not answer. */
  readonly info?: ConsumerRunningInfo
  /** Why it did not. */
  readonly problem?: string
}

export interface GroupStatus {
  readonly clients: readonly ClientStatus[]
  /** How subscriptions of members differ, in sentences. */
  readonly differences: readonly string[]
}

export interface StatusScope {
  readonly group: string
  /** Ask through this broker. */
  readonly brokerAddr?: string | undefined
  /** Whether clients are to tell what their threads are doing. */
  readonly jstack: boolean
}

/** Rejects with `AdminError` when nobody of the group is connected. */
export async function consumerStatus(
  client: AdminClient,
  { brokerAddr, group, jstack }: StatusScope,
): Promise<GroupStatus> {
  const online = await consumerConnections(client, group, brokerAddr)
  const { address, connectionSet, differences } = online
  const clients: ClientStatus[] = []
  for (const connection of connectionSet) {
    try {
      const info = await runningInfo(client, address, group, connection.clientId, jstack)
      clients.push({ connection, info })
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      clients.push({ connection, problem })
    }
  }
  clients.sort((left, right) => (left.connection.clientId < right.connection.clientId ? -1 : 1))
  return { clients, differences: differences ?? comparedBySelf(clients) }
}

/** For brokers that do not compare subscriptions: each client with the first one. */
function comparedBySelf(clients: readonly ClientStatus[]): string[] {
  const [first, ...others] = clients.flatMap(({ connection, info }) =>
    info === undefined ? [] : [{ id: connection.clientId, text: subscriptionText(info) }],
  )
  if (first === undefined) return []
  return others
    .filter(({ text }) => text !== first.text)
    .map(({ id, text }) => `"${id}" subscribes to ${text} and "${first.id}" to ${first.text}`)
}

function subscriptionText({ subscriptionSet }: ConsumerRunningInfo): string {
  const texts = subscriptionSet.map(({ expressionType, subString, tagsSet, topic }) => {
    const filter = tagsSet.length > 0 ? [...tagsSet].sort().join(' || ') : subString
    return `${topic} by ${expressionType} "${filter}"`
  })
  return texts.sort().join(', ') || 'nothing'
}
