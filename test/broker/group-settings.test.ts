/** Settings of groups: what is taken, what is refused, and what they do. */
import {
  DELETE_SUBSCRIPTIONGROUP,
  GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
  GET_SUBSCRIPTIONGROUP_CONFIG,
  QUERY_CONSUMER_OFFSET,
  responseCode,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST,
  UPDATE_AND_GET_GROUP_FORBIDDEN,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { BrokerScene, subscription, timeoutMs } from './scene.ts'

const options = { timeoutMs }

function update(scene: BrokerScene, config: object) {
  const body = [Buffer.from(JSON.stringify(config))]
  const { remoting } = scene.client()
  return scene.settle(
    remoting.call(scene.address, UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, { body, timeoutMs }),
  )
}

async function settingsOf(scene: BrokerScene, group: string) {
  const { remoting } = scene.client()
  const call = remoting.call(scene.address, GET_SUBSCRIPTIONGROUP_CONFIG, { group }, options)
  const answer = await scene.settle(call)
  return answer.code === responseCode.SUCCESS ? JSON.parse(answer.body.toString()) : answer.code
}

function forbid(scene: BrokerScene, readable?: boolean) {
  const { remoting } = scene.client()
  const header = { group: 'g', topic: 'T', readable }
  return scene.settle(remoting.call(scene.address, UPDATE_AND_GET_GROUP_FORBIDDEN, header, options))
}

test('what an operator sets is kept, what he leaves out has the default, and all survives a kill', async () => {
  const scene = await BrokerScene.started()
  const retry = { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial: 5000 } }
  await update(scene, { groupName: 'g', retryMaxTimes: 3, groupRetryPolicy: retry })
  await scene.killAndRestart()
  expect(await settingsOf(scene, 'g')).toMatchObject({
    ...{ groupName: 'g', retryMaxTimes: 3, retryQueueNums: 1, consumeEnable: true },
    groupRetryPolicy: retry,
  })
})

test.each([
  [{ groupName: '' }, /name of the group is empty/],
  [{ groupName: 'a b' }, /character that is not allowed/],
  [{ groupName: 'g', retryQueueNums: -1 }, /retryQueueNums must be a whole number from 0/],
  [{ groupName: 'g', retryMaxTimes: 1.5 }, /retryMaxTimes must be a whole number/],
  [{ groupName: 'g', attributes: { '+x': 'y' } }, /unsupported key.+"x".+subscription\.guard/],
  [{ groupName: 'g', attributes: { '+subscription.guard': 'so' } }, /off, warn or strict/],
])('%j is refused with a sentence', async (config, sentence) => {
  const scene = await BrokerScene.started()
  const answer = await update(scene, config)
  expect(answer.code).not.toBe(responseCode.SUCCESS)
  expect(answer.remark).toMatch(sentence)
  expect(await settingsOf(scene, 'g')).toBe(responseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
})

test('attributes are added and removed one by one, and stay when they are sent back', async () => {
  const scene = await BrokerScene.started()
  await update(scene, { groupName: 'g', attributes: { '+subscription.guard': 'strict' } })
  const settings = await settingsOf(scene, 'g')
  expect(settings.attributes).toEqual({ 'subscription.guard': 'strict' })
  await update(scene, { ...settings, retryMaxTimes: 5 })
  expect((await settingsOf(scene, 'g')).attributes).toEqual(settings.attributes)
  await update(scene, { groupName: 'g', attributes: { '-subscription.guard': '' } })
  expect((await settingsOf(scene, 'g')).attributes).toEqual({})
})

test('of a list all groups are set, or none', async () => {
  const scene = await BrokerScene.started()
  const set = (...names: readonly string[]) => {
    const groupConfigList = names.map((groupName) => ({ groupName, retryMaxTimes: 2 }))
    const body = [Buffer.from(JSON.stringify({ groupConfigList }))]
    const { remoting } = scene.client()
    const command = UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST
    return scene.settle(remoting.call(scene.address, command, {}, { body, timeoutMs }))
  }
  expect((await set('g1', 'g 2')).code).toBe(responseCode.INVALID_PARAMETER)
  expect(await settingsOf(scene, 'g1')).toBe(responseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
  expect((await set('g1', 'g2')).code).toBe(responseCode.SUCCESS)
  expect(await settingsOf(scene, 'g2')).toMatchObject({ retryMaxTimes: 2 })
})

test.each([
  ['cleanOffset', { cleanOffset: true }, responseCode.QUERY_NOT_FOUND],
  ['removeOffset', { removeOffset: true }, responseCode.QUERY_NOT_FOUND],
  ['neither', {}, responseCode.SUCCESS],
])('a group that is deleted with %s', async (_what, given, code) => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  await client.send('T', 'x')
  await update(scene, { groupName: 'g' })
  const queue = { consumerGroup: 'g', topic: 'T', queueId: 0 }
  const commit = { ...queue, commitOffset: 1 }
  await scene.settle(client.remoting.call(scene.address, UPDATE_CONSUMER_OFFSET, commit, options))
  const remove = { groupName: 'g', ...given }
  await scene.settle(client.remoting.call(scene.address, DELETE_SUBSCRIPTIONGROUP, remove, options))
  expect(await settingsOf(scene, 'g')).toBe(responseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
  const query = { ...queue, setZeroIfNotFound: false }
  const answer = await scene.settle(
    client.remoting.call(scene.address, QUERY_CONSUMER_OFFSET, query, options),
  )
  expect(answer.code).toBe(code)
})

describe('what settings do', () => {
  test('a group that may not consume is refused', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'x')
    await update(scene, { groupName: 'g', consumeEnable: false })
    const answer = await client.pull('T', 0, { consumerGroup: 'g' })
    expect(answer).toMatchObject({ code: responseCode.NO_PERMISSION })
    expect(answer.remark).toContain('consumeEnable is false')
  })

  test('a broadcasting group is refused when it may not broadcast', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'x')
    await update(scene, { groupName: 'g', consumeBroadcastEnable: false })
    await client.heartbeat('g', [subscription('T')], { messageModel: 'BROADCASTING' })
    const refused = await client.pull('T', 0, { consumerGroup: 'g', sysFlag: 0 })
    expect(refused).toMatchObject({ code: responseCode.NO_PERMISSION })
    expect(refused.remark).toContain('can not consume by broadcast way')
    await client.heartbeat('g', [subscription('T')])
    const taken = await client.pull('T', 0, { consumerGroup: 'g', sysFlag: 0 })
    expect(taken.code).toBe(responseCode.SUCCESS)
  })

  test('a topic that is forbidden to a group is refused to it, after a kill too', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'x')
    expect((await forbid(scene)).body.toString()).toBe('{"group":"g","readable":true,"topic":"T"}')
    const told = await forbid(scene, false)
    expect(told.body.toString()).toBe('{"group":"g","readable":false,"topic":"T"}')
    await scene.killAndRestart()
    const pull = async (consumerGroup: string) =>
      (await scene.client().pull('T', 0, { consumerGroup })).code
    expect(await pull('g')).toBe(responseCode.NO_PERMISSION)
    expect(await pull('h')).toBe(responseCode.SUCCESS)
    const { remoting } = scene.client()
    const all = await scene.settle(
      remoting.call(scene.address, GET_ALL_SUBSCRIPTIONGROUP_CONFIG, {}, options),
    )
    expect(JSON.parse(all.body.toString()).forbiddenTable).toEqual({ g: { T: 4 } })
    await forbid(scene, true)
    expect(await pull('g')).toBe(responseCode.SUCCESS)
  })
})
