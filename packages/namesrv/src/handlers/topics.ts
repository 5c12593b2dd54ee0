/**
 * GET_ALL_TOPIC_LIST_FROM_NAMESERVER, GET_TOPICS_BY_CLUSTER, GET_SYSTEM_TOPIC_LIST_FROM_NS and
 * DELETE_TOPIC_IN_NAMESRV: lists of topics, and forgetting one.
 * Source: Apache class DefaultRequestProcessor; `namesrv.md` sections 7 and 8.
 */
import {
  DELETE_TOPIC_IN_NAMESRV,
  encodeTopicList,
  GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
  GET_SYSTEM_TOPIC_LIST_FROM_NS,
  GET_TOPICS_BY_CLUSTER,
  responseCode,
} from '@rockhopper/protocol'
import { type Connection, Refusal, type Router } from '@rockhopper/remoting'
import type { LiveConfig } from '../live-config.ts'
import type { RouteTable } from '../route-table.ts'

interface TopicParts {
  readonly config: LiveConfig
  readonly routes: RouteTable<Connection>
}

export function handleTopics(router: Router, { config, routes }: TopicParts): void {
  router
    .on(GET_ALL_TOPIC_LIST_FROM_NAMESERVER, () => {
      if (!config.current.enableAllTopicList) throw disabled('enableAllTopicList')
      return { body: [encodeTopicList({ topicList: routes.topicNames() })] }
    })
    .on(GET_TOPICS_BY_CLUSTER, ({ cluster }) => {
      if (!config.current.enableTopicList) throw disabled('enableTopicList')
      return { body: [encodeTopicList({ topicList: routes.topicsOfCluster(cluster) })] }
    })
    .on(GET_SYSTEM_TOPIC_LIST_FROM_NS, () => {
      const { names, brokerAddr } = routes.systemTopics()
      return { body: [encodeTopicList({ topicList: names, brokerAddr })] }
    })
    .on(DELETE_TOPIC_IN_NAMESRV, ({ topic, clusterName }) => {
      routes.deleteTopic(topic, clusterName === '' ? undefined : clusterName)
      return {}
    })
}

/** The remark begins as Apache's does. */
function disabled(key: string): Refusal {
  return new Refusal(responseCode.SYSTEM_ERROR, `disable: set ${key}=true to list topics`)
}
