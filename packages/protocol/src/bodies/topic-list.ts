/**
 * A set of topic names. Source: Apache class TopicList; `namesrv.md` section 7.
 */
import { parseFastjson } from '../fastjson.ts'
import { asList, asObject, asText } from './shape.ts'

export interface TopicList {
  /** Of the list of system topics only: a broker that knows further ones. */
  readonly brokerAddr?: string | undefined
  readonly topicList: readonly string[]
}

export function encodeTopicList(list: TopicList): Buffer {
  return Buffer.from(JSON.stringify({ brokerAddr: list.brokerAddr, topicList: list.topicList }))
}

/** Throws `SyntaxError` when the body is not JSON. */
export function decodeTopicList(body: Buffer): TopicList {
  const json = asObject(parseFastjson(body.toString()))
  const topicList = asList(json['topicList']).map((topic) => asText(topic))
  const brokerAddr = json['brokerAddr']
  return brokerAddr === undefined ? { topicList } : { brokerAddr: asText(brokerAddr), topicList }
}
