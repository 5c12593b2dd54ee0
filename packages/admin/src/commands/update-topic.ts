/** `mqadmin updateTopic`: creates a topic, or changes one. */
import { updateTopic, type WantedTopic } from '../operations/update-topic.ts'
import { required, text, truth, whole } from '../options.ts'
import { type Output, verb } from '../verb.ts'
import { targetOf, targetOptions } from './target.ts'

/** Bits of the system flag of a topic. */
const UNIT = 1
const UNIT_SUBSCRIPTION = 2

export const updateTopicVerb = verb({
  name: 'updateTopic',
  description: 'Update or create topic.',
  options: {
    ...targetOptions,
    topic: required(text('t', 'name of the topic')),
    readQueueNums: whole('r', 'queues that consumers read (8)', 1),
    writeQueueNums: whole('w', 'queues that producers write (8)', 1),
    perm: whole('p', 'permission: 2 write, 4 read, 6 both (6)'),
    order: truth('o', 'whether the topic is ordered over all brokers (false)'),
    unit: truth('u', 'whether it is a unit topic (false)'),
    hasUnitSub: truth('s', 'whether it has unit subscriptions (false)'),
    attributes: text('a', 'changes of the attributes: +key=value,-key'),
  },
  async run({ client }, options) {
    const target = targetOf(options)
    const flags = (options.unit ? UNIT : 0) | (options.hasUnitSub ? UNIT_SUBSCRIPTION : 0)
    const topic: WantedTopic = {
      topicName: options.topic,
      readQueueNums: options.readQueueNums ?? 8,
      writeQueueNums: options.writeQueueNums ?? 8,
      perm: options.perm ?? 6,
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: flags,
      order: options.order ?? false,
      ...(options.attributes === undefined ? {} : { attributes: options.attributes }),
    }
    const { brokers, orderConf } = await updateTopic(client, target, topic)
    const scope = 'brokerAddr' in target ? 'broker' : 'cluster'
    const lines = [
      ...brokers.map((address) => `create topic to ${address} success.`),
      ...(orderConf === undefined
        ? []
        : [`set ${scope} orderConf. isOrder=${topic.order}, orderConf=[${orderConf}]`]),
      textOf(topic),
    ]
    return { lines, json: { brokers, orderConf, topic } } satisfies Output
  },
})

/** The configuration as Apache's class TopicConfig prints it. */
function textOf(topic: WantedTopic): string {
  const { perm } = topic
  const bits = `${perm & 4 ? 'R' : '-'}${perm & 2 ? 'W' : '-'}${perm & 1 ? 'X' : '-'}`
  return (
    `TopicConfig [topicName=${topic.topicName}, readQueueNums=${topic.readQueueNums}, ` +
    `writeQueueNums=${topic.writeQueueNums}, perm=${bits}, ` +
    `topicFilterType=${topic.topicFilterType}, topicSysFlag=${topic.topicSysFlag}, ` +
    `order=${topic.order}, attributes=${topic.attributes ?? '{}'}]`
  )
}
