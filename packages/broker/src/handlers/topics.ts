/**
 * Topics: create, change, delete, list.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 8.
 */
import {
  DELETE_TOPIC_IN_BROKER,
  encodeTopicConfig,
  encodeTopicConfigs,
  encodeTopicList,
  GET_ALL_TOPIC_CONFIG,
  GET_SYSTEM_TOPIC_LIST_FROM_BROKER,
  GET_TOPIC_CONFIG,
  isSystemTopic,
  responseCode,
  topicConfig,
  topicFilterTypeOf,
  topicNameProblem,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import { MAX_QUEUES_PER_TOPIC } from '../limits.ts'
import { pageOf } from '../rules/table-page.ts'
import type { SavedTable } from '../services/table-files.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface TopicParts {
  readonly topics: TopicTable
  readonly offsets: OffsetTable
  readonly saved: SavedTable
  readonly store: Store
  readonly systemTopicNames: readonly string[]
}

export function handleTopics(router: Router, parts: TopicParts): void {
  const { topics, offsets, saved, store } = parts
  const system = new Set(parts.systemTopicNames)
  const refuseSystemTopic = (topic: string): void => {
    if (!isSystemTopic(topic) && !system.has(topic)) return
    throw new Refusal(
      responseCode.INVALID_PARAMETER,
      `topic "${topic}" belongs to the system: it cannot be changed or deleted`,
    )
  }
  router
    .on(UPDATE_AND_CREATE_TOPIC, async (header) => {
      const { topic, readQueueNums, writeQueueNums, perm } = header
      refuse(topicNameProblem(topic))
      refuseSystemTopic(topic)
      refuse(queueProblem(readQueueNums) ?? queueProblem(writeQueueNums))
      const known = topics.get(topic)
      if (known === undefined && !topics.hasRoom) {
        refuse(`topic "${topic}" cannot be created: this broker has as many as it can keep`)
      }
      topics.put(
        topicConfig(topic, {
          readQueueNums,
          writeQueueNums,
          perm,
          topicFilterType: topicFilterTypeOf(header.topicFilterType),
          topicSysFlag: header.topicSysFlag ?? 0,
          order: header.order ?? false,
          attributes: changedAttributes(known?.attributes ?? {}, header.attributes ?? ''),
        }),
      )
      await saved.upToDate()
      return {}
    })
    .on(DELETE_TOPIC_IN_BROKER, async ({ topic }) => {
      refuse(topicNameProblem(topic))
      refuseSystemTopic(topic)
      topics.delete(topic)
      offsets.deleteTopic(topic)
      await saved.upToDate()
      await store.deleteTopic(topic)
      return {}
    })
    .on(GET_ALL_TOPIC_CONFIG, ({ dataVersion, maxTopicNum: maxRows, topicSeq: seq }) => {
      const { configs } = topics
      const wish = { seq, dataVersion, maxRows }
      const { names, total } = pageOf(configs.topics.keys(), wish, configs.dataVersion)
      const rows = names.flatMap((topic) => topics.get(topic) ?? [])
      const part = new Map(rows.map((row) => [row.topicName, row]))
      return {
        header: { totalTopicNum: total },
        body: [encodeTopicConfigs({ ...configs, topics: part })],
      }
    })
    .on(GET_TOPIC_CONFIG, ({ topic }) => {
      const config = topics.get(topic)
      if (config !== undefined) return { body: [encodeTopicConfig(config)] }
      throw new Refusal(responseCode.TOPIC_NOT_EXIST, `No topic in this broker. topic: ${topic}`)
    })
    .on(GET_SYSTEM_TOPIC_LIST_FROM_BROKER, () => ({
      body: [encodeTopicList({ topicList: [...system] })],
    }))
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new Refusal(responseCode.INVALID_PARAMETER, problem)
}

function queueProblem(queues: number): string | undefined {
  if (queues >= 0 && queues <= MAX_QUEUES_PER_TOPIC) return undefined
  return `a topic has from 0 to ${MAX_QUEUES_PER_TOPIC} queues, not ${queues}`
}

/** Applies a list `+key=value,-key`. Throws `Refusal` for an entry of another form. */
function changedAttributes(
  known: Readonly<Record<string, string>>,
  changes: string,
): Record<string, string> {
  const attributes = { ...known }
  for (const change of changes.split(',').flatMap((entry) => entry.trim() || [])) {
    const set = /^\+([^=]+)=(.*)$/.exec(change)
    const removed = /^-([^=]+)$/.exec(change)
    if (set !== null) attributes[set[1] ?? ''] = set[2] ?? ''
    else if (removed !== null) delete attributes[removed[1] ?? '']
    else {
      throw new Refusal(
        responseCode.SYSTEM_ERROR,
        `the attribute change "${change}" is neither +key=value nor -key`,
      )
    }
  }
  return attributes
}
