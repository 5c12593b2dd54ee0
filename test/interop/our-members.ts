/** Members of groups that are consumers of ours, in the process of the test. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import {
  bySql,
  LitePullConsumer,
  type MessageQueue,
  PushConsumer,
  type ReceivedMessage,
} from '@rockhopper/client'
import { type Host, NodeClock, nodeHost, type Timer } from '@rockhopper/host'
import { sha256 } from './expectations.ts'
import type {
  Handled,
  LiteMember,
  LiteOptions,
  Member,
  MemberMaker,
  PushOptions,
} from './group-member.ts'
import { makeDir } from './workplace.ts'

/** 1 s, the shortest delay there is. */
const soonLevel = 1
const suspendMs = 100
const pollMs = 1_000

/** So often members look by themselves. These never do: they must be told of changes. */
const lookEveryMs = 20_000

class ToldClock extends NodeClock {
  override after(delayMs: number, task: () => void): Timer {
    return delayMs === lookEveryMs ? { cancel: () => {} } : super.after(delayMs, task)
  }
}

export function openOurMembers(runDir: string, namesrvAddr: string): MemberMaker {
  const home = makeDir(runDir, 'our-consumers')
  const opened: { close(): Promise<void> }[] = []
  const host: Host = { ...nodeHost(), clock: new ToldClock() }
  const common = { host, namesrvAddr, consumeFromWhere: 'first' } as const
  const label = 'our client'
  return {
    name: 'ours',
    label,
    async open(options) {
      const consumer = new PushConsumer({
        ...common,
        group: options.group,
        orderly: options.orderly ?? false,
        messageModel: options.broadcasting === true ? 'broadcasting' : 'clustering',
        instanceName: options.instance ?? randomUUID(),
        localOffsetStoreDir: join(home, 'offsets'),
        concurrency: 4,
        suspendCurrentQueueTimeMs: suspendMs,
        ...(options.maxReconsumeTimes === undefined
          ? {}
          : { maxReconsumeTimes: options.maxReconsumeTimes }),
      })
      opened.push(consumer)
      return openPush(consumer, options, label)
    },
    async openLite(options) {
      const consumer = new LitePullConsumer({
        ...{ ...common, group: options.group, autoCommit: false },
      })
      opened.push(consumer)
      return openLite(consumer, options, label)
    },
    async close() {
      await Promise.all(opened.map((consumer) => consumer.close()))
    },
  }
}

async function openPush(
  consumer: PushConsumer,
  options: PushOptions,
  label: string,
): Promise<Member> {
  const messages: Handled[] = []
  const { filter = '*', sql, topic, handleMs = 0 } = options
  const wanted = sql === undefined ? filter : bySql(sql)
  consumer.subscribe(topic, wanted, async (message, context) => {
    context.delayLevelWhenNextConsume = soonLevel
    const beganAt = Date.now()
    if (handleMs > 0) await new Promise((resolve) => setTimeout(resolve, handleMs))
    const mustFail = options.fail?.tag === message.tag
    const fails = mustFail && message.reconsumeTimes < (options.fail?.times ?? 0)
    messages.push(asHandled(message, beganAt, fails ? 'failed' : 'done'))
    if (fails) throw new Error('this message was to fail')
  })
  try {
    await consumer.start()
  } catch (error) {
    await consumer.close()
    throw error
  }
  return {
    label,
    messages,
    get queues() {
      return consumer.queues.filter((queue) => queue.topic === topic).map(queueName)
    },
    close: () => consumer.close(),
  }
}

async function openLite(
  consumer: LitePullConsumer,
  options: LiteOptions,
  label: string,
): Promise<LiteMember> {
  const messages: Handled[] = []
  const queues = new Map<string, MessageQueue>()
  if (options.topic !== undefined) consumer.subscribe(options.topic, options.filter ?? '*')
  await consumer.start()
  return {
    label,
    messages,
    get queues() {
      return consumer.queues.map(queueName).sort()
    },
    close: () => consumer.close(),
    async assign(topic) {
      for (const queue of await consumer.fetchMessageQueues(topic)) {
        queues.set(queueName(queue), queue)
      }
      consumer.assign([...queues.values()])
    },
    async seek(name, offset) {
      const queue = queues.get(name)
      if (queue === undefined) throw new Error(`${name} is not among ${[...queues.keys()]}`)
      await consumer.seek(queue, offset)
    },
    async poll() {
      for (const message of await consumer.poll(pollMs)) {
        messages.push(asHandled(message, Date.now(), 'done'))
      }
    },
    commit: () => consumer.commitSync(),
  }
}

function asHandled(
  message: ReceivedMessage,
  beganAt: number,
  outcome: Handled['outcome'],
): Handled {
  const { properties, queue } = message
  return {
    msgId: message.msgId,
    topic: message.topic,
    keys: message.keys.join(' '),
    tags: message.tag ?? null,
    index: properties['index'] ?? '',
    broker: queue.brokerName,
    queueId: queue.queueId,
    queueOffset: message.queueOffset,
    storeSize: 0,
    bornTimestamp: message.bornAtMs,
    storeTimestamp: message.storedAtMs,
    reconsumeTimes: message.reconsumeTimes,
    bodySize: message.body.length,
    bodySha256: sha256(message.body),
    beganAt,
    endedAt: Date.now(),
    outcome,
    realTopic: properties['RETRY_TOPIC'] ?? null,
    originId: properties['ORIGIN_MESSAGE_ID'] ?? null,
  }
}

function queueName({ brokerName, queueId }: MessageQueue): string {
  return `${brokerName}:${queueId}`
}
