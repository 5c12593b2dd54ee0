/**
 * Topics of a broker. Source: `broker-api.md` sections 8 and 10.1.
 */
import { command } from '../command.ts'
import { bool, int32, name, optional, text } from '../field.ts'

export const UPDATE_AND_CREATE_TOPIC = command(17, 'UPDATE_AND_CREATE_TOPIC', {
  request: {
    topic: name('topic to create or change'),
    defaultTopic: optional(name('historical, without effect')),
    readQueueNums: int32('queues that consumers read'),
    writeQueueNums: int32('queues that producers write'),
    perm: int32('bits: 4 read, 2 write, 1 inherit'),
    topicFilterType: optional(text('SINGLE_TAG or MULTI_TAG')),
    topicSysFlag: optional(int32('bits: 1 unit, 2 unit subscription')),
    order: optional(bool('whether the topic is ordered over all brokers')),
    attributes: optional(text('+key=value,-key list of changes of the attributes')),
    force: optional(bool('historical, without effect')),
  },
})

/**
 * Answer body: topic configurations and their data version. All of them, unless a slave asks for
 * parts. Source: Apache class GetAllTopicConfigRequestHeader, behind 5.3.3.
 */
export const GET_ALL_TOPIC_CONFIG = command(21, 'GET_ALL_TOPIC_CONFIG', {
  request: {
    topicSeq: optional(int32('topics that the asker has')),
    dataVersion: optional(text('version that they are of, as JSON; empty at first')),
    maxTopicNum: optional(int32('most topics wanted')),
  },
  answer: { totalTopicNum: optional(int32('topics there are; absent when all are in the answer')) },
})

export const DELETE_TOPIC_IN_BROKER = command(215, 'DELETE_TOPIC_IN_BROKER', {
  request: { topic: name('topic to delete with its queues') },
})

/** Answer body: bounds and last store time of each queue. */
export const GET_TOPIC_STATS_INFO = command(202, 'GET_TOPIC_STATS_INFO', {
  request: { topic: name('topic asked about') },
})

/** Answer body: names of the system topics. */
export const GET_SYSTEM_TOPIC_LIST_FROM_BROKER = command(305, 'GET_SYSTEM_TOPIC_LIST_FROM_BROKER')

/** Answer body: one topic configuration. */
export const GET_TOPIC_CONFIG = command(351, 'GET_TOPIC_CONFIG', {
  request: {
    topic: name('topic asked about'),
    lo: optional(bool('whether a static topic is to show its mapping')),
  },
})
