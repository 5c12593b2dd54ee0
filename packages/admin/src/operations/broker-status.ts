/** What brokers tell of themselves, by Apache's keys and our own. */
import { decodeKvTable, GET_BROKER_RUNTIME_INFO, type KvTable } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { replicas, type Target } from './clusters.ts'

/** By address: one broker, or all of a cluster. Rejects with `AdminError` when one does not answer. */
export async function brokerStatus(
  client: AdminClient,
  target: Target,
): Promise<ReadonlyMap<string, KvTable>> {
  const addresses =
    'brokerAddr' in target
      ? [target.brokerAddr]
      : (await replicas(client, target.clusterName)).map(({ address }) => address)
  const rows = addresses.map(async (address) => {
    const answer = await client.askBroker(address, GET_BROKER_RUNTIME_INFO, {})
    return [address, decodeKvTable(answer.body)] as const
  })
  return new Map(await Promise.all(rows))
}
