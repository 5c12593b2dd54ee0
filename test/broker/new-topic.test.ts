/** Which topic a message to an unknown one creates, and why there is none. */
import { topicConfig } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { noTopicSentence, topicForSend } from '../../packages/broker/src/rules/new-topic.ts'
import { systemTopics } from '../../packages/broker/src/rules/system-topics.ts'

const template = topicConfig('TBW102', { readQueueNums: 8, writeQueueNums: 8, perm: 7 })

test('a new topic takes the permission of its template without the bit that made it one', () => {
  expect(topicForSend('T', template, 4)).toMatchObject({
    topicName: 'T',
    perm: 6,
    readQueueNums: 4,
    writeQueueNums: 4,
  })
})

test('it has no more queues than its template, four when the client does not say', () => {
  expect(topicForSend('T', template, 99)?.writeQueueNums).toBe(8)
  expect(topicForSend('T', template, undefined)?.writeQueueNums).toBe(4)
})

test('without a template that allows it there is no topic', () => {
  expect(topicForSend('T', undefined, 4)).toBeUndefined()
  expect(topicForSend('T', { ...template, perm: 6 }, 4)).toBeUndefined()
})

test('a retry topic is made of itself, with one queue', () => {
  expect(topicForSend('%RETRY%g', undefined, 4)).toMatchObject({ perm: 6, readQueueNums: 1 })
})

test('the sentence says what to do in each case', () => {
  expect(noTopicSentence('a', false, true)).toMatch(
    /updateTopic -t a, or set autoCreateTopicEnable/,
  )
  expect(noTopicSentence('a', true, true)).toMatch(/default topic TBW102/)
  expect(noTopicSentence('a', true, false)).toMatch(/as many as it can keep/)
})

const settings = {
  brokerName: 'broker-a',
  brokerClusterName: 'DefaultCluster',
  autoCreateTopicEnable: true,
  clusterTopicEnable: true,
  brokerTopicEnable: true,
  defaultTopicQueueNums: 8,
  timerWheelEnable: true,
  traceTopicEnable: false,
  msgTraceTopicName: 'RMQ_SYS_TRACE_TOPIC',
}

test('a broker begins with the topics that Apache 5.3.3 writes into its topics.json', () => {
  const topics = systemTopics(settings)
  const rows = topics.map((t) => `${t.topicName} ${t.perm} ${t.readQueueNums} ${t.writeQueueNums}`)
  expect(rows.sort()).toEqual([
    'BenchmarkTest 6 1024 1024',
    'DefaultCluster 7 16 16',
    'DefaultCluster_REPLY_TOPIC 6 1 1',
    'OFFSET_MOVED_EVENT 6 1 1',
    'RMQ_SYS_TRANS_HALF_TOPIC 6 1 1',
    'RMQ_SYS_TRANS_OP_HALF_TOPIC 6 1 1',
    'SCHEDULE_TOPIC_XXXX 6 18 18',
    'SELF_TEST_TOPIC 6 1 1',
    'TBW102 7 8 8',
    'broker-a 7 1 1',
    'rmq_sys_wheel_timer 6 1 1',
  ])
})

test('with traceTopicEnable a broker begins with a topic for traces, under the name it is given', () => {
  const msgTraceTopicName = 'traces'
  const named = (on: boolean): (string | number)[][] =>
    systemTopics({ ...settings, traceTopicEnable: on, msgTraceTopicName })
      .filter(({ topicName }) => topicName === msgTraceTopicName)
      .map(({ topicName, perm, readQueueNums }) => [topicName, perm, readQueueNums])
  expect(named(false)).toEqual([])
  expect(named(true)).toEqual([['traces', 6, 1]])
})
