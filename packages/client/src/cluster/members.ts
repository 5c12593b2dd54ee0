/**
 * Asks brokers who the members of a group are. Each broker of a topic knows all of them, for all
 * send it heartbeats. Source: `client.md` section 5, `broker-api.md` section 6.4. Owns nothing.
 */
import type { Host } from '@rockhopper/host'
import {
  decodeConsumerIds,
  GET_CONSUMER_LIST_BY_GROUP,
  type TopicRouteData,
} from '@rockhopper/protocol'
import type { RemotingClient } from '@rockhopper/remoting'
import { MASTER_ID } from './routes.ts'

const MEMBERS_TIMEOUT_MS = 3_000

/**
 * Ids of the members in the order that all of them use; undefined when no broker of the topic says
 * anything, or when it knows of none: then nothing should change.
 */
export async function membersOf(
  { random, logger }: Host,
  remoting: RemotingClient,
  consumerGroup: string,
  route: TopicRouteData,
): Promise<readonly string[] | undefined> {
  const brokers = route.brokerDatas.map(({ brokerAddrs }) => addressOf(brokerAddrs))
  const first = random.below(Math.max(1, brokers.length))
  for (let tries = 0; tries < brokers.length; tries++) {
    const address = brokers[(first + tries) % brokers.length]
    if (address === undefined) continue
    try {
      const options = { timeoutMs: MEMBERS_TIMEOUT_MS }
      const header = { consumerGroup }
      const answer = await remoting.request(address, GET_CONSUMER_LIST_BY_GROUP, header, options)
      const ids = decodeConsumerIds(answer.body)
      if (ids.length > 0) return ids.sort()
    } catch (error) {
      logger.debug('A broker did not name the members of a group.', { address, error })
    }
  }
  return undefined
}

function addressOf(replicas: ReadonlyMap<number, string>): string | undefined {
  return replicas.get(MASTER_ID) ?? [...replicas.values()][0]
}
