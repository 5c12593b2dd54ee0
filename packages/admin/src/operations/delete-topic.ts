/** Deletes a topic with all its messages. */
import { DELETE_TOPIC_IN_BROKER, DELETE_TOPIC_IN_NAMESRV } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { mastersOfCluster } from './clusters.ts'

/**
 * On the masters of a cluster first, so that none of them registers the topic anew, then with the
 * name servers. A topic that is not there is deleted already: no error.
 */
export async function deleteTopic(
  client: AdminClient,
  clusterName: string,
  topic: string,
): Promise<{ readonly brokers: readonly string[] }> {
  const masters = await mastersOfCluster(client, clusterName)
  for (const { address } of masters) {
    await client.askBroker(address, DELETE_TOPIC_IN_BROKER, { topic })
  }
  await client.tellNameServers(DELETE_TOPIC_IN_NAMESRV, { topic, clusterName })
  return { brokers: masters.map(({ address }) => address) }
}
