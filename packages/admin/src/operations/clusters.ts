/**
 * Which brokers there are: the operations that work on a whole cluster start here.
 */
import { type ClusterInfo, decodeClusterInfo, GET_BROKER_CLUSTER_INFO } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'

/** One broker process. */
export interface Replica {
  readonly clusterName: string
  readonly brokerName: string
  /** 0 is the master. */
  readonly brokerId: number
  readonly address: string
}

/** Where an operation works: one broker, or all masters of a cluster. */
export type Target = { readonly brokerAddr: string } | { readonly clusterName: string }

export async function clusterInfo(client: AdminClient): Promise<ClusterInfo> {
  const answer = await client.askNameServer(GET_BROKER_CLUSTER_INFO, {})
  return decodeClusterInfo(answer.body)
}

/** All brokers, of one cluster if it is named. Rejects with `AdminError` when there is none such. */
export async function replicas(client: AdminClient, clusterName?: string): Promise<Replica[]> {
  const info = await clusterInfo(client)
  const known = [...info.clusterAddrTable.keys()].sort()
  if (clusterName !== undefined && !known.includes(clusterName)) {
    throw unknownCluster(client, clusterName, known)
  }
  return known
    .filter((name) => clusterName === undefined || name === clusterName)
    .flatMap((name) => replicasOf(info, name))
}

/** The masters of a cluster. Rejects with `AdminError` when there are none. */
export async function mastersOfCluster(
  client: AdminClient,
  clusterName: string,
): Promise<Replica[]> {
  const found = (await replicas(client, clusterName)).filter(({ brokerId }) => brokerId === 0)
  if (found.length > 0) return found
  throw new AdminError(
    `The cluster "${clusterName}" has no master at the moment: start one with bin/mqbroker.`,
  )
}

function replicasOf(info: ClusterInfo, clusterName: string): Replica[] {
  const brokerNames = [...(info.clusterAddrTable.get(clusterName) ?? [])].sort()
  return brokerNames.flatMap((brokerName) => {
    const addresses = [...(info.brokerAddrTable.get(brokerName)?.brokerAddrs ?? [])]
    return addresses
      .sort(([left], [right]) => left - right)
      .map(([brokerId, address]) => ({ clusterName, brokerName, brokerId, address }))
  })
}

function unknownCluster(client: AdminClient, name: string, known: readonly string[]): AdminError {
  const servers = client.nameServers.join(', ')
  if (known.length === 0) {
    return new AdminError(
      `There is no cluster "${name}": no broker is registered with ${servers}. ` +
        'Start one with bin/mqbroker -n and the address of the name server.',
    )
  }
  return new AdminError(
    `There is no cluster "${name}" at ${servers}, which know${client.nameServers.length === 1 ? 's' : ''} ` +
      `${known.join(', ')}.`,
  )
}
