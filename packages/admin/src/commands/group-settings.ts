/** The verbs of group settings: create, change, delete, show, and let subscriptions change. */
import { asObject, groupAttribute, type SubscriptionGroupConfig } from '@rockhopper/protocol'
import { AdminError } from '../errors.ts'
import { deleteGroup, groupConfigs, updateGroup } from '../operations/groups.ts'
import { required, text, truth, whole } from '../options.ts'
import { verb } from '../verb.ts'
import { targetOf, targetOptions } from './target.ts'

const group = required(text('g', 'name of the consumer group'))

export const updateSubGroupVerb = verb({
  name: 'updateSubGroup',
  description: 'Update or create subscription group.',
  options: {
    ...targetOptions,
    groupName: group,
    consumeEnable: truth('s', 'whether the group may consume'),
    consumeFromMinEnable: truth('m', 'whether it may begin at the first message there is'),
    consumeBroadcastEnable: truth('d', 'whether it may broadcast'),
    consumeMessageOrderly: truth('o', 'whether it consumes in order (pop only)'),
    retryQueueNums: whole('q', 'queues of its retry topic'),
    retryMaxTimes: whole('r', 'tries after which a message is a dead letter'),
    groupRetryPolicy: text('p', 'delays of its retries, as JSON'),
    brokerId: whole('i', 'replica it reads from: 0 is the master'),
    whichBrokerWhenConsumeSlowly: whole('w', 'replica it reads from when it is far behind'),
    notifyConsumerIdsChanged: truth('a', 'whether members are told when others come and go'),
    attributes: text('', 'changes of the attributes: +key=value,-key'),
  },
  async run({ client }, options) {
    const target = targetOf(options)
    const { attributes, brokerAddr, clusterName, groupRetryPolicy, ...rest } = options
    const { notifyConsumerIdsChanged, ...settings } = rest
    const wanted = {
      ...settings,
      ...(notifyConsumerIdsChanged === undefined
        ? {}
        : { notifyConsumerIdsChangedEnable: notifyConsumerIdsChanged }),
      ...(groupRetryPolicy === undefined ? {} : { groupRetryPolicy: policyOf(groupRetryPolicy) }),
      ...(attributes === undefined ? {} : { attributes: changesOf(attributes) }),
    }
    const { brokers, group: updated } = await updateGroup(client, target, wanted)
    const lines = brokers.map((address) => `create subscription group to ${address} success.`)
    return { lines: [...lines, textOf(updated)], json: { brokers, group: updated } }
  },
})

export const deleteSubGroupVerb = verb({
  name: 'deleteSubGroup',
  description: 'Delete subscription group from broker.',
  options: {
    ...targetOptions,
    groupName: group,
    removeOffset: truth('r', 'whether its offsets go as well (false)'),
  },
  async run({ client }, options) {
    const { clusterName, groupName, removeOffset } = options
    const target = targetOf(options)
    const { brokers } = await deleteGroup(client, target, groupName, removeOffset ?? false)
    const where = clusterName === undefined ? '' : ` in cluster [${clusterName}]`
    return {
      lines: brokers.map(
        (address) =>
          `delete subscription group [${groupName}] from broker [${address}]${where} success.`,
      ),
      json: { groupName, brokers },
    }
  },
})

const RULE = '='.repeat(29)

export const getConsumerConfigVerb = verb({
  name: 'getConsumerConfig',
  description: 'Get consumer config by subscription group name.',
  options: { groupName: group },
  async run({ client }, { groupName }) {
    const placed = await groupConfigs(client, groupName)
    const lines = placed.flatMap(({ brokerName, clusterName, group: config }) => [
      `${RULE}${clusterName}:${brokerName}${RULE}`,
      ...fieldsOf(config).map(([key, value]) => `${key.padEnd(40)}=  ${value ?? ''}`),
    ])
    return { lines, json: placed }
  },
})

const MINUTE_MS = 60_000
const DEFAULT_TRANSITION_MINUTES = 30

/** Not one of Apache's: see `subscriptionGuard` in the configuration of the broker. */
export const subscriptionTransitionVerb = verb({
  name: 'subscriptionTransition',
  description: 'Let members of a group subscribe differently for a while, for a rolling change.',
  options: {
    ...targetOptions,
    groupName: group,
    minutes: whole('m', `how long from now; 0 ends it (${DEFAULT_TRANSITION_MINUTES})`),
  },
  async run({ client, timeText }, options) {
    const target = targetOf(options)
    const { groupName, minutes = DEFAULT_TRANSITION_MINUTES } = options
    const untilMs = client.host.clock.nowMs() + minutes * MINUTE_MS
    const attributes = { [`+${groupAttribute.transitionUntil}`]: String(untilMs) }
    const { brokers } = await updateGroup(client, target, { groupName, attributes })
    return {
      lines: brokers.map((address) => {
        return `group [${groupName}] may subscribe differently at ${address} until ${timeText(untilMs)}.`
      }),
      json: { groupName, untilMs, brokers },
    }
  },
})

/** `+key=value,-key` as the map that brokers expect. Throws `AdminError` for another form. */
function changesOf(list: string): Record<string, string> {
  const changes = list.split(',').map((change) => {
    const parts = /^(\+[^=]+)=(.*)$|^(-[^=]+)$/.exec(change.trim())
    if (parts !== null) return [parts[1] ?? parts[3] ?? '', parts[2] ?? ''] as const
    throw new AdminError(`The attribute change "${change}" is neither +key=value nor -key.`)
  })
  return Object.fromEntries(changes)
}

function policyOf(json: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(json))
  } catch {
    throw new AdminError(
      `The retry policy "${json}" is not JSON: write for example ` +
        '{"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":5000,"max":7200000,"multiplier":2}}.',
    )
  }
}

/** In the order of Apache's class SubscriptionGroupConfig. */
function fieldsOf(group: SubscriptionGroupConfig): [string, unknown][] {
  const { attributes, groupRetryPolicy: policy } = group
  const { type, exponentialRetryPolicy, customizedRetryPolicy } = policy
  const parts = [`type=${type}`, part('exponential', exponentialRetryPolicy)]
  return [
    ['groupName', group.groupName],
    ['consumeEnable', group.consumeEnable],
    ['consumeFromMinEnable', group.consumeFromMinEnable],
    ['consumeBroadcastEnable', group.consumeBroadcastEnable],
    ['consumeMessageOrderly', group.consumeMessageOrderly],
    ['retryQueueNums', group.retryQueueNums],
    ['retryMaxTimes', group.retryMaxTimes],
    [
      'groupRetryPolicy',
      `GroupRetryPolicy{${[...parts, part('customized', customizedRetryPolicy)].join(', ')}}`,
    ],
    ['brokerId', group.brokerId],
    ['whichBrokerWhenConsumeSlowly', group.whichBrokerWhenConsumeSlowly],
    ['notifyConsumerIdsChangedEnable', group.notifyConsumerIdsChangedEnable],
    ['groupSysFlag', group.groupSysFlag],
    ['consumeTimeoutMinute', group.consumeTimeoutMinute],
    ['subscriptionDataSet', group.subscriptionDataSet && JSON.stringify(group.subscriptionDataSet)],
    ['attributes', javaMap(Object.entries(attributes))],
  ]
}

function part(kind: string, policy: unknown): string {
  return `${kind}RetryPolicy=${policy === undefined ? 'null' : JSON.stringify(policy)}`
}

function javaMap(entries: readonly (readonly [string, unknown])[]): string {
  return `{${entries.map(([key, value]) => `${key}=${value}`).join(', ')}}`
}

function textOf(group: SubscriptionGroupConfig): string {
  const fields = fieldsOf(group).map(([key, value]) => `${key}=${value ?? 'null'}`)
  return `SubscriptionGroupConfig{${fields.join(', ')}}`
}
