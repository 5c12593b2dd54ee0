/** The verbs about consumers, on a cluster of ours: groups, connections, offsets, dead letters. */
import { describe, expect, test } from 'vitest'
import { ClusterScene, messages } from './cluster-scene.ts'

const GROUP = 'shop'
const ON_BROKER = ['-c', 'DefaultCluster']

function rows(out: string): string[][] {
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s+/))
}

/** Five messages in one queue of T, consumed by one member of the group. */
async function consumed(settings = '') {
  const scene = await ClusterScene.started(`defaultTopicQueueNums=1\n${settings}`)
  await scene.send(...messages('T', 'm0', 'm1', 'm2', 'm3', 'm4'))
  const { consumer, taken } = await scene.join(GROUP, 'T', 'A')
  await scene.world.clock.advance(10_000)
  expect(taken).toHaveLength(5)
  return { scene, consumer, taken }
}

describe('settings of groups', () => {
  test('a new group has what Apache gives it, and a later change leaves the rest alone', async () => {
    const scene = await ClusterScene.started()
    const { out } = await scene.run('updateSubGroup', ...ON_BROKER, '-g', GROUP, '-r', '5')
    expect(out).toBe(
      `create subscription group to ${scene.brokerAddress} success.\n` +
        'SubscriptionGroupConfig{groupName=shop, consumeEnable=true, consumeFromMinEnable=false, ' +
        'consumeBroadcastEnable=false, consumeMessageOrderly=false, retryQueueNums=1, ' +
        'retryMaxTimes=5, groupRetryPolicy=GroupRetryPolicy{type=CUSTOMIZED, ' +
        'exponentialRetryPolicy=null, customizedRetryPolicy=null}, brokerId=0, ' +
        'whichBrokerWhenConsumeSlowly=1, notifyConsumerIdsChangedEnable=true, groupSysFlag=0, ' +
        'consumeTimeoutMinute=15, subscriptionDataSet=null, attributes={}}\n',
    )
    await scene.run('updateSubGroup', ...ON_BROKER, '-g', GROUP, '-d', 'true')
    await scene.run(
      ...['updateSubGroup', '-b', scene.brokerAddress, '-g', GROUP],
      ...['--attributes', '+subscription.guard=strict'],
    )
    const config = await scene.run('getConsumerConfig', '-g', GROUP)
    expect(config.out).toContain(`${'='.repeat(29)}DefaultCluster:broker-a${'='.repeat(29)}\n`)
    expect(config.out).toContain(`${'retryMaxTimes'.padEnd(40)}=  5\n`)
    expect(config.out).toContain(`${'consumeBroadcastEnable'.padEnd(40)}=  true\n`)
    expect(config.out).toContain('{subscription.guard=strict}')
  })

  test.each([
    [['-g', 'a b'], 'The group was not changed: '],
    [['-g', GROUP, '--attributes', 'x'], 'neither +key=value nor -key'],
    [['-g', GROUP, '--attributes', '+x=y'], 'unsupported key'],
    [['-g', GROUP, '-p', '{'], 'is not JSON'],
  ])('%j is refused with a sentence', async (words, sentence) => {
    const scene = await ClusterScene.started()
    const { errors, exitCode } = await scene.run('updateSubGroup', ...ON_BROKER, ...words)
    expect(exitCode).toBe(1)
    expect(errors).toContain(sentence)
  })

  test('a deleted group is gone, with its retry topic', async () => {
    const { scene, consumer } = await consumed()
    await scene.settle(consumer.close())
    const { out } = await scene.run('deleteSubGroup', ...ON_BROKER, '-g', GROUP, '-r', 'true')
    expect(out).toBe(
      `delete subscription group [shop] from broker [${scene.brokerAddress}] ` +
        'in cluster [DefaultCluster] success.\n',
    )
    expect((await scene.run('topicList')).out).not.toContain('%RETRY%shop')
    expect(await scene.json('getConsumerConfig', '-g', GROUP)).toEqual([])
  })
})

describe('who is there', () => {
  test('consumerConnection shows clients and subscriptions', async () => {
    const { scene } = await consumed()
    const { out } = await scene.run('consumerConnection', '-g', GROUP)
    expect(rows(out).slice(0, 2)).toEqual([
      ['#ClientId', '#ClientAddr', '#Language', '#Version'],
      [expect.any(String), expect.stringMatching(/^10\./), 'OTHER', 'V5_3_3'],
    ])
    expect(out).toContain('\n\nBelow is subscription:\n#Topic               #SubExpression\n')
    expect(out).toMatch(/\nT +A\n/)
    expect(out).toContain('\nMessageModel: CLUSTERING\n')
  })

  test('a group without members is named', async () => {
    const { scene, consumer } = await consumed()
    await scene.settle(consumer.close())
    for (const verb of ['consumerConnection', 'consumerStatus']) {
      const { errors, exitCode } = await scene.run(verb, '-g', GROUP)
      expect(exitCode).toBe(1)
      expect(errors).toContain('CODE: 206  DESC: the consumer group[shop] not online')
    }
  })

  test('consumerStatus writes a file for each client, and says that they agree', async () => {
    const { scene } = await consumed()
    await scene.join(GROUP, 'T', 'A')
    const { out } = await scene.run('consumerStatus', '-g', GROUP)
    expect(out).toContain('\nSame subscription in the same group of consumer\n\n\nRebalance OK\n')
    const [, first] = rows(out)
    const { disk } = scene.world.host('operator').doors
    const file = disk.open(first?.[3] ?? '', 'read')
    const bytes = Buffer.alloc(file.sizeBytes())
    file.readSync(bytes, 0)
    expect(bytes.toString()).toMatch(/^#Consumer Properties#\n/)
    expect(bytes.toString()).toContain('\n#Consumer Subscription#\n')
  })

  test('consumerStatus says how the members of a group differ', async () => {
    const { scene } = await consumed()
    await scene.join(GROUP, 'T', 'B')
    const { out } = await scene.run('consumerStatus', '-g', GROUP)
    expect(out).toMatch(
      /WARN: Different subscription in the same group of consumer!!!\n".+" filters "T" by TAG "B" and/,
    )
    const { errors } = await scene.run('consumerStatus', '-g', GROUP, '-i', 'nobody')
    expect(errors).toMatch(/^No client "nobody" of group "shop" is connected, only /)
  })

  test('brokerStatus counts the groups whose members differ', async () => {
    const { scene } = await consumed()
    await scene.join(GROUP, 'T', 'B')
    const one = await scene.run('brokerStatus', '-b', scene.brokerAddress)
    expect(one.out).toContain(`\n${'subscriptionDifferentGroups'.padEnd(32)}: 1\n`)
    const all = await scene.run('brokerStatus', ...ON_BROKER)
    expect(all.out.split('\n')[0]).toMatch(new RegExp(`^${scene.brokerAddress} +\\w+ +: `))
  })

  test('a transition lets a strict group change', async () => {
    const { scene, consumer } = await consumed('subscriptionGuard=strict')
    const other = await scene.join(GROUP, 'T', 'B')
    const members = async () =>
      ((await scene.json('consumerConnection', '-g', GROUP)) as { connectionSet: unknown[] })
        .connectionSet.length
    expect(await members()).toBe(1)
    const { out } = await scene.run('subscriptionTransition', ...ON_BROKER, '-g', GROUP, '-m', '5')
    expect(out).toMatch(/^group \[shop\] may subscribe differently at .+ until time \d+\.\n$/)
    await scene.world.clock.advance(31_000)
    expect(await members()).toBe(2)
    await scene.settle(consumer.close())
    await scene.settle(other.consumer.close())
  })
})

describe('offsets', () => {
  test('resetOffsetByTime goes back for a group that is running, and prints a row for each queue', async () => {
    const { scene, taken } = await consumed()
    const { out } = await scene.run('resetOffsetByTime', '-g', GROUP, '-t', 'T', '-s', '0')
    const [announcement, titles, row] = out.split('\n')
    expect(announcement).toBe(
      'start reset consumer offset by specified, group[shop], topic[T], force[true], ' +
        'timestamp(string)[0], timestamp(long)[0]',
    )
    expect(titles?.split(/\s+/)).toEqual(['#brokerName', '#queueId', '#offset'])
    expect(row?.split(/\s+/)).toEqual(['broker-a', '0', '0'])
    await scene.world.clock.advance(30_000)
    expect(taken).toHaveLength(10)
  })

  test('one queue is put to one offset', async () => {
    const { scene, consumer } = await consumed()
    await scene.settle(consumer.close())
    const words = ['-g', GROUP, '-t', 'T', '-s', 'now', '-b', scene.brokerAddress, '-q', '0']
    const { out } = await scene.run('resetOffsetByTime', ...words, '-o', '3')
    expect(out).toContain('\nreset consumer offset to 3\n')
    expect((await scene.run('consumerProgress', '-g', GROUP, '-t', 'T')).out).toContain(
      'Consume Diff Total: 2',
    )
    const { errors } = await scene.run('resetOffsetByTime', ...words, '-o', '99')
    expect(errors).toContain('Target offset 99 not in consume queue range [0-5]')
  })

  test('a group that is offline is reset through commits where its broker asks for clients', async () => {
    const { scene, consumer } = await consumed('useServerSideResetOffset=false')
    await scene.settle(consumer.close())
    const { out } = await scene.run('resetOffsetByTime', '-g', GROUP, '-t', 'T', '-s', '0')
    expect(out).toMatch(/^reset consumer offset by specified consumerGroup\[shop\], topic\[T\]/)
    expect(rows(out).at(-1)).toEqual(['broker-a', '0', '5', '5', '0', '0'])
    await scene.run('skipAccumulatedMessage', '-g', GROUP, '-t', 'T')
    expect((await scene.run('consumerProgress', '-g', GROUP, '-t', 'T')).out).toContain(
      'Consume Diff Total: 0',
    )
  })

  test('what is no time is refused before anything is asked', async () => {
    const scene = await ClusterScene.started()
    const words = ['-g', GROUP, '-t', 'T', '-s', 'yesterday']
    const { errors } = await scene.run('resetOffsetByTime', ...words)
    expect(errors).toContain('The timestamp "yesterday" is no time')
  })

  test('cloneGroupOffset puts a group where another one is', async () => {
    const { scene } = await consumed()
    const { out } = await scene.run('cloneGroupOffset', '-s', GROUP, '-d', 'copy', '-t', 'T')
    expect(out).toBe('clone group offset success. srcGroup[shop], destGroup=[copy], topic[T]\n')
    const progress = await scene.run('consumerProgress', '-g', 'copy', '-t', 'T')
    expect(rows(progress.out)[1]).toEqual(expect.arrayContaining(['T', 'broker-a', '0', '5', '5']))
  })

  test('consumerProgress -s shows who has each queue', async () => {
    const { scene } = await consumed()
    const words = ['consumerProgress', '-g', GROUP, '-t', 'T', '-s', 'true']
    const [titles, row] = rows((await scene.run(...words)).out)
    expect(titles?.join(' ')).toContain('#Client IP #Diff')
    expect(row?.[5]).toMatch(/^10\.0\.0\.\d+$/)
  })
})

describe('single messages', () => {
  test('are found by key, by both ids and by offset, with what became of them', async () => {
    const { scene } = await consumed()
    const byKey = rows((await scene.run('queryMsgByKey', '-t', 'T', '-k', 'key-m3')).out)
    const [id = ''] = byKey[1] ?? []
    expect(byKey[1]).toEqual([id, '0', '3'])
    const byId = await scene.run('queryMsgById', '-t', 'T', '-i', id, '-f', 'UTF-8')
    expect(byId.out).toContain('\nKeys:                [key-m3]\n')
    expect(byId.out).toContain('\nMessage Body:        m3\n')
    expect(byId.out).toContain('MessageTrack [consumerGroup=shop, trackType=CONSUMED')
    const offsetId = /^OffsetID: +(\w+)$/m.exec(byId.out)?.[1] ?? ''
    const same = [
      ['queryMsgById', '-t', 'T', '-i', offsetId, '-f', 'UTF-8'],
      ['queryMsgByOffset', '-t', 'T', '-b', 'broker-a', '-i', '0', '-o', '3', '-f', 'UTF-8'],
    ]
    for (const words of same) expect((await scene.run(...words)).out).toBe(byId.out)
    const short = await scene.run('queryMsgByUniqueKey', '-t', 'T', '-i', id)
    expect(short.out).toMatch(/^Topic: +T\n/)
    expect(scene.world.host('operator').doors.disk.list('/tmp/rocketmq/msgbodys')).toEqual([id])
  })

  test('that are not there are not found, whatever their id looks like', async () => {
    const { scene } = await consumed()
    for (const id of ['x', 'F'.repeat(32), '0A00000200002A9F0000000000000123']) {
      const { errors, exitCode } = await scene.run('queryMsgById', '-t', 'T', '-i', id)
      expect(exitCode).toBe(1)
      expect(errors).toContain(`Message not found! There is none with the id "${id}"`)
    }
  })

  test('are consumed directly by a client that is named', async () => {
    const { scene, consumer, taken } = await consumed()
    const [, [id = ''] = []] = rows(
      (await scene.run('queryMsgByKey', '-t', 'T', '-k', 'key-m1')).out,
    )
    const words = ['queryMsgById', '-t', 'T', '-i', id, '-g', GROUP, '-d']
    const { out } = await scene.run(...words, consumer.clientId)
    expect(out).toMatch(/^ConsumeMessageDirectlyResult \[.+consumeResult=CR_SUCCESS/)
    expect(taken.filter((body) => body === 'm1')).toHaveLength(2)
    const { errors } = await scene.run(...words, 'nobody')
    expect(errors).toContain('The Consumer <shop> <nobody> not online')
  })

  test('entries of a queue are listed', async () => {
    const { scene } = await consumed()
    const { out } = await scene.run(
      'queryCq',
      '-t',
      'T',
      '-q',
      '0',
      '-i',
      '1',
      '-c',
      '2',
      '-g',
      GROUP,
    )
    expect(out).toContain('Queue data: \nmax: 5, min: 0\n')
    expect(out.match(/^idx: \d$/gm)).toEqual(['idx: 1', 'idx: 2'])
    expect(out).toContain('tagsCode=65,')
  })
})

describe('dead letters', () => {
  /** A group that has given up m0, m1 and m2, and consumes everything from now on. */
  async function dead() {
    const scene = await ClusterScene.started('defaultTopicQueueNums=1')
    await scene.send(...messages('T', 'm0', 'm1', 'm2'))
    let fails = true
    const fail = (): void => {
      if (fails) throw new Error('no stock')
    }
    const options = { maxReconsumeTimes: 0 }
    const { taken } = await scene.join(GROUP, 'T', 'A', fail, options)
    const other = await scene.join('audit', 'T', 'A')
    await scene.world.clock.advance(5_000)
    fails = false
    return { scene, taken, other: other.taken }
  }

  async function ids(scene: ClusterScene): Promise<string[]> {
    const letters = await scene.json('listDeadLetters', '-g', GROUP)
    return (letters as { msgId: string }[]).map(({ msgId }) => msgId)
  }

  test('are listed with the topic they were sent to, and the last error', async () => {
    const { scene } = await dead()
    const { out } = await scene.run('listDeadLetters', '-g', GROUP, '-c', '2')
    expect(rows(out)).toHaveLength(3)
    expect(out).toMatch(/broker-a +0 +T +1 +time \d+ +.*no stock/)
    expect(rows((await scene.run('listDeadLetters', '-g', 'nobody')).out)).toHaveLength(1)
  })

  test('that are named go to their group again, and to nobody else', async () => {
    const { scene, taken, other } = await dead()
    const [, second = ''] = await ids(scene)
    const { out } = await scene.run('resendDeadLetters', '-g', GROUP, '-i', second)
    expect(out).toMatch(/%RETRY%shop +broker-a +0 +\d+ +SEND_OK\n\n1 were sent again\.\n$/)
    await scene.world.clock.advance(5_000)
    expect(taken).toHaveLength(1)
    expect(other).toHaveLength(3)
    expect(await ids(scene)).toHaveLength(3)
  })

  test('go to everybody who reads their topic when that is asked for', async () => {
    const { scene, taken, other } = await dead()
    const { out } = await scene.run('resendDeadLetters', '-g', GROUP, '-a', '-o')
    expect(out).toContain('\n\n3 were sent again.\n')
    await scene.world.clock.advance(5_000)
    expect(taken).toHaveLength(3)
    expect(other).toHaveLength(6)
  })

  test('are only shown in a dry run, and those outside a time stay where they are', async () => {
    const { scene, taken } = await dead()
    const dry = await scene.run('resendDeadLetters', '-g', GROUP, '-a', '-d')
    expect(dry.out).toContain('\n\n3 would be sent again.\n')
    const nowMs = scene.world.clock.nowMs()
    await scene.run('resendDeadLetters', '-g', GROUP, '-s', String(nowMs))
    await scene.world.clock.advance(5_000)
    expect(taken).toHaveLength(0)
  })

  test.each([
    [[], 'Say which dead letters to send again'],
    [['-a', '-i', 'x'], 'Say which dead letters to send again'],
    [['-i', 'x'], 'Nothing was sent: group "shop" has no dead letter with the id x'],
    [['-s', 'soon'], 'The time "soon" is none'],
  ])('%j is refused, and nothing is sent', async (words, sentence) => {
    const { scene, taken } = await dead()
    const [first = ''] = await ids(scene)
    const given = words.map((word) => (word === 'x' ? `${first},x` : word))
    const { errors, exitCode } = await scene.run('resendDeadLetters', '-g', GROUP, ...given)
    expect(exitCode).toBe(1)
    expect(errors).toContain(sentence)
    await scene.world.clock.advance(5_000)
    expect(taken).toHaveLength(0)
  })
})
