/** How replication stands at brokers: at a master, each of its slaves; at a slave, where it is. */
import { decodeHaStatus, GET_BROKER_HA_STATUS, type HaStatus } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { mastersOfCluster, type Target } from './clusters.ts'

/** By address: one broker, or all masters of a cluster. Rejects with `AdminError`. */
export async function haStatus(
  client: AdminClient,
  target: Target,
): Promise<ReadonlyMap<string, HaStatus>> {
  const addresses =
    'brokerAddr' in target
      ? [target.brokerAddr]
      : (await mastersOfCluster(client, target.clusterName)).map(({ address }) => address)
  const rows = addresses.map(async (address) => {
    const answer = await client.askBroker(address, GET_BROKER_HA_STATUS, {})
    return [address, decodeHaStatus(answer.body)] as const
  })
  return new Map(await Promise.all(rows))
}
