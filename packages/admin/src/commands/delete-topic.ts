/** `mqadmin deleteTopic`: deletes a topic with all its messages. */
import { deleteTopic } from '../operations/delete-topic.ts'
import { required, text } from '../options.ts'
import { verb } from '../verb.ts'

export const deleteTopicVerb = verb({
  name: 'deleteTopic',
  description: 'Delete topic from broker and NameServer.',
  options: {
    topic: required(text('t', 'name of the topic')),
    clusterName: required(text('c', 'delete it on all brokers of this cluster')),
  },
  async run({ client }, { topic, clusterName }) {
    const { brokers } = await deleteTopic(client, clusterName, topic)
    return {
      lines: [
        `delete topic [${topic}] from cluster [${clusterName}] success.`,
        `delete topic [${topic}] from NameServer success.`,
      ],
      json: { topic, clusterName, brokers },
    }
  },
})
