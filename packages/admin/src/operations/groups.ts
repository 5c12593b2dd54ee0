/** The settings of consumer groups. */
import {
  asObject,
  DEAD_LETTER_PREFIX,
  DELETE_SUBSCRIPTIONGROUP,
  GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
  groupNameProblem,
  parseFastjson,
  retryTopicOf,
  type SubscriptionGroupConfig,
  subscriptionGroupOf,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import { mastersOfCluster, type Replica, replicas, type Target } from './clusters.ts'
import { deleteTopic } from './delete-topic.ts'

/** What is wanted of a group: what is left out stays as it is, or has the default of a new group. */
export type WantedGroup = Partial<Omit<SubscriptionGroupConfig, 'groupName'>> & {
  readonly groupName: string
}

export interface UpdatedGroup {
  /** Addresses of the masters that have the group now. */
  readonly brokers: readonly string[]
  /** As the last of them has it. */
  readonly group: SubscriptionGroupConfig
}

/** What Apache's tool gives a new group when nothing else is said. */
const NEW_GROUP = { consumeFromMinEnable: false, consumeBroadcastEnable: false }

/** Rejects with `AdminError` when the name is not allowed or a broker refuses. */
export async function updateGroup(
  client: AdminClient,
  target: Target,
  wanted: WantedGroup,
): Promise<UpdatedGroup> {
  const problem = groupNameProblem(wanted.groupName)
  if (problem !== undefined) throw new AdminError(`The group was not changed: ${problem}.`)
  const brokers = await addressesOfTarget(client, target)
  let group = subscriptionGroupOf(wanted)
  for (const address of brokers) {
    // Attributes are changes, +key or −key: the broker knows what it has.
    const known = await groupAt(client, address, wanted.groupName)
    group = subscriptionGroupOf({ ...(known ?? NEW_GROUP), attributes: {}, ...wanted })
    const body = [Buffer.from(JSON.stringify(group))]
    await client.askBroker(address, UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, { body })
  }
  return { brokers, group }
}

/**
 * Deletes a group; of a cluster its retry and dead letter topics too. A group that is not there is
 * deleted already: no error.
 */
export async function deleteGroup(
  client: AdminClient,
  target: Target,
  groupName: string,
  cleanOffset: boolean,
): Promise<{ readonly brokers: readonly string[] }> {
  const brokers = await addressesOfTarget(client, target)
  // Brokers before 5.0 read the second of the two.
  const header = { groupName, cleanOffset, removeOffset: cleanOffset }
  for (const address of brokers) await client.askBroker(address, DELETE_SUBSCRIPTIONGROUP, header)
  if ('clusterName' in target) {
    await deleteTopic(client, target.clusterName, retryTopicOf(groupName))
    await deleteTopic(client, target.clusterName, DEAD_LETTER_PREFIX + groupName)
  }
  return { brokers }
}

/** A group as one broker has it. */
export interface PlacedGroup extends Pick<Replica, 'clusterName' | 'brokerName'> {
  readonly group: SubscriptionGroupConfig
}

/** The group on each broker that has it, one replica of each. */
export async function groupConfigs(client: AdminClient, groupName: string): Promise<PlacedGroup[]> {
  const placed: PlacedGroup[] = []
  const seen = new Set<string>()
  for (const { address, brokerName, clusterName } of await replicas(client)) {
    if (seen.has(brokerName)) continue
    seen.add(brokerName)
    const group = await groupAt(client, address, groupName)
    if (group !== undefined) placed.push({ clusterName, brokerName, group })
  }
  return placed
}

/** Out of the list of all groups: the question for one group makes Apache's brokers create it. */
async function groupAt(
  client: AdminClient,
  address: string,
  groupName: string,
): Promise<SubscriptionGroupConfig | undefined> {
  const answer = await client.askBroker(address, GET_ALL_SUBSCRIPTIONGROUP_CONFIG, {})
  const table = asObject(parseFastjson(answer.body.toString()))['subscriptionGroupTable']
  const group = Object.entries(asObject(table)).find(([name]) => name === groupName)
  return group === undefined ? undefined : subscriptionGroupOf(group[1])
}

async function addressesOfTarget(client: AdminClient, target: Target): Promise<string[]> {
  if ('brokerAddr' in target) return [target.brokerAddr]
  const masters = await mastersOfCluster(client, target.clusterName)
  return masters.map(({ address }) => address)
}
