/** The brokers and how they are. */
import { decodeKvTable, GET_BROKER_RUNTIME_INFO, type KvTable } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { type Replica, replicas } from './clusters.ts'

export interface ReplicaStatus extends Replica {
  /** What the broker says of itself, by Apache's keys; empty when it cannot be reached. */
  readonly runtime: KvTable
  /** Why it cannot be reached. */
  readonly problem?: string
}

/** A broker that cannot be reached is listed all the same, with its problem. */
export async function clusterList(
  client: AdminClient,
  clusterName?: string,
): Promise<ReplicaStatus[]> {
  const found = await replicas(client, clusterName)
  return Promise.all(
    found.map(async (replica) => {
      try {
        const answer = await client.askBroker(replica.address, GET_BROKER_RUNTIME_INFO, {})
        return { ...replica, runtime: decodeKvTable(answer.body) }
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error)
        return { ...replica, runtime: new Map(), problem }
      }
    }),
  )
}
