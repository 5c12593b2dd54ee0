/**
 * Subscription groups of a broker, and how far they are. Source: `broker-api.md` sections 9 and 10.
 */
import { command } from '../command.ts'
import { bool, int32, name, optional, text } from '../field.ts'

/** Body: a subscription group configuration. */
export const UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = command(
  200,
  'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP',
)

/**
 * Answer body: subscription group configurations and their data version. All of them, unless a slave
 * asks for parts. Source: Apache class GetAllSubscriptionGroupRequestHeader, behind 5.3.3.
 */
export const GET_ALL_SUBSCRIPTIONGROUP_CONFIG = command(201, 'GET_ALL_SUBSCRIPTIONGROUP_CONFIG', {
  request: {
    groupSeq: optional(int32('groups that the asker has')),
    dataVersion: optional(text('version that they are of, as JSON; empty at first')),
    maxGroupNum: optional(int32('most groups wanted')),
  },
  answer: { totalGroupNum: optional(int32('groups there are; absent when all are in the answer')) },
})

/** Answer body: which groups are pushed messages by POP, as JSON; a slave takes it over. */
export const GET_ALL_MESSAGE_REQUEST_MODE = command(402, 'GET_ALL_MESSAGE_REQUEST_MODE')

/** Body: a list of subscription group configurations. */
export const UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST = command(
  225,
  'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST',
)

/** Answer body: whether the group may read the topic. */
export const UPDATE_AND_GET_GROUP_FORBIDDEN = command(353, 'UPDATE_AND_GET_GROUP_FORBIDDEN', {
  request: {
    group: name('group asked about'),
    topic: name('topic asked about'),
    readable: optional(bool('whether the group may read the topic from now on')),
  },
})

export const DELETE_SUBSCRIPTIONGROUP = command(207, 'DELETE_SUBSCRIPTIONGROUP', {
  request: {
    groupName: name('group to delete'),
    cleanOffset: optional(bool('whether its offsets go as well')),
    removeOffset: optional(bool('the same as 4.9 clients spell it')),
  },
})

/** Answer body: one subscription group configuration. */
export const GET_SUBSCRIPTIONGROUP_CONFIG = command(352, 'GET_SUBSCRIPTIONGROUP_CONFIG', {
  request: { group: name('group asked about') },
})

/** Answer body: consume stats, a row per queue. */
export const GET_CONSUME_STATS = command(208, 'GET_CONSUME_STATS', {
  request: {
    consumerGroup: name('group asked about'),
    topic: optional(name('only this topic')),
    topicList: optional(text('only these topics, joined by semicolons')),
  },
})

/** Answer body: the connections of a consumer group with their subscriptions. */
export const GET_CONSUMER_CONNECTION_LIST = command(203, 'GET_CONSUMER_CONNECTION_LIST', {
  request: {
    consumerGroup: name('group asked about'),
    explainDifferences: optional(
      bool('of this suite only: whether the answer says how subscriptions of members differ'),
    ),
  },
})

/** Answer body: the connections of a producer group. */
export const GET_PRODUCER_CONNECTION_LIST = command(204, 'GET_PRODUCER_CONNECTION_LIST', {
  request: { producerGroup: name('group asked about') },
})

/** Answer body: groups that consume a topic. */
export const QUERY_TOPIC_CONSUME_BY_WHO = command(300, 'QUERY_TOPIC_CONSUME_BY_WHO', {
  request: { topic: name('topic asked about') },
})

/** Answer body: all producer groups with their connections. */
export const GET_ALL_PRODUCER_INFO = command(328, 'GET_ALL_PRODUCER_INFO')

/** Answer body: topics of which a group has offsets. */
export const QUERY_TOPICS_BY_CONSUMER = command(343, 'QUERY_TOPICS_BY_CONSUMER', {
  request: { group: name('group asked about') },
})

/** Answer body: what a group subscribes to of a topic. */
export const QUERY_SUBSCRIPTION_BY_CONSUMER = command(345, 'QUERY_SUBSCRIPTION_BY_CONSUMER', {
  request: { group: name('group asked about'), topic: optional(name('topic asked about')) },
})

/** Answer body: of what time the messages of each queue are, and where the group is. */
export const QUERY_CONSUME_TIME_SPAN = command(303, 'QUERY_CONSUME_TIME_SPAN', {
  request: { topic: name('topic asked about'), group: name('group asked about') },
})

/** Answer body: the consume stats of every group. */
export const GET_BROKER_CONSUME_STATS = command(317, 'GET_BROKER_CONSUME_STATS', {
  request: { isOrder: optional(bool('whether only ordered topics count')) },
})
