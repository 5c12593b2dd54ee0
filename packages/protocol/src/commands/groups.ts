/**
 * Subscription groups of a broker, and how far they are. Source: `broker-api.md` sections 9 and 10.
 */
import { command } from '../command.ts'
import { bool, name, optional, text } from '../field.ts'

/** Body: a subscription group configuration. */
export const UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = command(
  200,
  'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP',
)

/** Answer body: all subscription group configurations and their data version. */
export const GET_ALL_SUBSCRIPTIONGROUP_CONFIG = command(201, 'GET_ALL_SUBSCRIPTIONGROUP_CONFIG')

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
  request: { consumerGroup: name('group asked about') },
})

/** Answer body: the connections of a producer group. */
export const GET_PRODUCER_CONNECTION_LIST = command(204, 'GET_PRODUCER_CONNECTION_LIST', {
  request: { producerGroup: name('group asked about') },
})

/** Answer body: groups that consume a topic. */
export const QUERY_TOPIC_CONSUME_BY_WHO = command(300, 'QUERY_TOPIC_CONSUME_BY_WHO', {
  request: { topic: name('topic asked about') },
})
