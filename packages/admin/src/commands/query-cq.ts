/** `mqadmin queryCq`: entries of a consume queue. */
import { toJson } from '../json.ts'
import { consumeQueue } from '../operations/consume-queue.ts'
import { required, text, whole } from '../options.ts'
import { verb } from '../verb.ts'

const RULE = '='.repeat(38)

export const queryCqVerb = verb({
  name: 'queryCq',
  description: 'Query cq command.',
  options: {
    topic: required(text('t', 'name of the topic')),
    queue: required(whole('q', 'number of the queue')),
    index: required(whole('i', 'queue offset of the first entry')),
    count: whole('c', 'how many entries (10)', 1),
    broker: text('b', 'address of the broker, ip:port; the first of the route when absent'),
    consumer: text('g', 'group whose subscription is shown as well'),
  },
  async run({ client }, { broker, consumer, count = 10, index, queue, topic }) {
    const scope = { topic, queueId: queue, index, count, brokerAddr: broker }
    const answer = await consumeQueue(client, { ...scope, consumerGroup: consumer })
    const { filterData, maxQueueIndex, minQueueIndex, queueData, subscriptionData } = answer
    const lines = [
      ...(subscriptionData === undefined
        ? []
        : ['Subscription data: ', ...toJson(subscriptionData).split('\n'), RULE]),
      ...(filterData === undefined ? [] : ['Filter data: ', filterData, RULE]),
      'Queue data: ',
      `max: ${maxQueueIndex}, min: ${minQueueIndex}`,
      RULE,
      ...queueData.flatMap(({ physicOffset, physicSize, tagsCode }, at) => [
        `idx: ${index + at}`,
        `ConsumeQueueData{physicOffset=${physicOffset}, physicSize=${physicSize}, ` +
          `tagsCode=${tagsCode}, extendDataJson='null', bitMap='null', eval=false, msg='null'}`,
        RULE,
      ]),
    ]
    return { lines, json: answer }
  },
})
