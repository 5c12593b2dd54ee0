/**
 * How clients make themselves known to a broker. Source: `broker-api.md` sections 6 and 7.
 */
import { command } from '../command.ts'
import { name, optional, text } from '../field.ts'

/** Body: `HeartbeatData`. */
export const HEART_BEAT = command(34, 'HEART_BEAT')

export const UNREGISTER_CLIENT = command(35, 'UNREGISTER_CLIENT', {
  request: {
    clientID: text('id of the client that leaves'),
    producerGroup: optional(name('producer group it leaves')),
    consumerGroup: optional(name('consumer group it leaves')),
  },
})

/** Answer body: the ids of all live members, as this broker sees them. */
export const GET_CONSUMER_LIST_BY_GROUP = command(38, 'GET_CONSUMER_LIST_BY_GROUP', {
  request: { consumerGroup: name('group asked about') },
})

/** Broker to client, one way: the members or subscriptions of a group changed. */
export const NOTIFY_CONSUMER_IDS_CHANGED = command(40, 'NOTIFY_CONSUMER_IDS_CHANGED', {
  request: { consumerGroup: name('group that changed') },
})

/** Body: client id, group and one subscription, whose filter the broker is to check. */
export const CHECK_CLIENT_CONFIG = command(46, 'CHECK_CLIENT_CONFIG')
