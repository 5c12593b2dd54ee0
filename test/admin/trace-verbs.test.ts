/** The verbs about traces and audits, on a cluster of ours. */
import { encodeTrace, type SubAfterTrace } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { ClusterScene, messages } from './cluster-scene.ts'

const GROUP = 'shop'

describe('queryMsgTraceById', () => {
  test('prints who sent a message and how handlers ended, as Apache does', async () => {
    const scene = await ClusterScene.started('traceTopicEnable=true')
    const [sent] = await scene.sendAs({ messageTrace: true }, ...messages('T', 'm0'))
    let isFirst = true
    const take = (): void => {
      if (!isFirst) return
      isFirst = false
      throw new Error('no')
    }
    await scene.join(GROUP, 'T', 'A', take, { messageTrace: true, consumeFromWhere: 'first' })
    await scene.join('others', 'T', 'A', () => {}, {
      messageTrace: true,
      consumeFromWhere: 'first',
    })
    await scene.world.clock.advance(40_000)
    const { out, errors } = await scene.run('QueryMsgTraceById', '-i', sent?.msgId ?? '')
    expect(errors).toBe('')
    const lines = out.split('\n').map((line) => line.split(/ {1,}/))
    const titles = ['#Type', '#ProducerGroup', '#ClientHost', '#SendTime', '#CostTimes', '#Status']
    const host = expect.stringMatching(/^[\d.]+$/)
    const cost = expect.stringMatching(/^\d+ms$/)
    const time = expect.stringMatching(/^time/)
    const digits = expect.any(String)
    expect(lines[0]).toEqual(titles)
    expect(lines[1]).toEqual(['Pub', 'senders', host, time, digits, cost, 'success'])
    expect(lines[2]).toEqual([''])
    expect(lines[3]).toEqual(
      titles.map((title) =>
        title.replace('#ProducerGroup', '#ConsumerGroup').replace('#SendTime', '#ConsumerTime'),
      ),
    )
    const subs = lines.filter(([type]) => type === 'Sub').map((line) => [line[1], line.at(-1)])
    expect(subs.sort()).toEqual([
      ['others', 'success'],
      [GROUP, 'failed'],
      [GROUP, 'success'],
    ])
    expect(out.startsWith(`${'#Type'.padEnd(10)} ${'#ProducerGroup'.padEnd(20)} #ClientHost`)).toBe(
      true,
    )
  })

  test('finds the trace that sendMessage leaves, in json with all that was written', async () => {
    const scene = await ClusterScene.started('traceTopicEnable=true')
    const { out } = await scene.run('sendMessage', '-t', 'T', '-p', 'hello', '-m', 'true')
    const msgId = out.trim().split(/\s+/).at(-1) ?? ''
    await scene.world.clock.advance(1_000)
    expect(await scene.json('queryMsgTraceById', '-i', msgId)).toMatchObject({
      sends: [{ type: 'Pub', msgId, group: 'TOOLS_PRODUCER', bodyLength: 5 }],
      ...{ consumed: [], begun: [], transactionEnds: [] },
    })
  })

  test('reads what older clients wrote, from a topic of another name', async () => {
    const scene = await ClusterScene.started()
    const after: SubAfterTrace = {
      ...{ requestId: 'r', msgId: 'ID', costMs: 3, isSuccess: true, keys: undefined },
      ...{ timestampMs: undefined, group: undefined },
      type: 'SubAfter',
      end: 'success',
    }
    const body = `${encodeTrace(after).split('\x01').slice(0, 6).join('\x01')}\x02`
    await scene.send({ topic: 'traces', body, keys: 'ID' })
    await scene.world.clock.advance(1_000)
    const { out } = await scene.run('queryMsgTraceById', '-i', 'ID', '-t', 'traces')
    expect(out).toMatch(/\nSub +null +[\d.]+ +null +3ms +success\n/)
  })

  test('says in a sentence that there is no trace', async () => {
    const scene = await ClusterScene.started('traceTopicEnable=true')
    const { errors, exitCode } = await scene.run('queryMsgTraceById', '-i', 'NONE')
    expect(exitCode).toBe(1)
    expect(errors).toMatch(/no trace of the message "NONE": its clients write none unless/)
  })
})

describe('sequenceAudit', () => {
  test('shows what each member found, and who audits nothing', async () => {
    const scene = await ClusterScene.started('defaultTopicQueueNums=1')
    const three = messages('T', 'm0', 'm1', 'm2')
    const [first] = await scene.sendAs({ sequenceAudit: true }, ...three)
    expect(first?.status).toBe('SEND_OK')
    await scene.send(...messages('T', 'm3'))
    const options = { sequenceAudit: true, consumeFromWhere: 'first' } as const
    const auditing = await scene.join(GROUP, 'T', '*', () => {}, options)
    const other = await scene.join(GROUP, 'T', '*', () => {}, { consumeFromWhere: 'first' })
    await scene.world.clock.advance(30_000)
    const { clientId } = auditing.consumer
    const counts = { audited: 3, lost: 0, repeated: 0 }
    expect(await scene.json('sequenceAudit', '-g', GROUP)).toEqual({
      clients: [{ clientId, ...counts, unstamped: 1 }],
      queues: [
        {
          ...{ clientId, topic: 'T', brokerName: 'broker-a', queueId: 0, ...counts, awaited: 0 },
          ...{
            producerId: expect.stringMatching(/^[0-9a-f]{12}$/),
            lastSequence: 3,
            lastOffset: 2,
          },
        },
      ],
      others: [other.consumer.clientId],
    })
    const { out } = await scene.run('sequenceAudit', '-g', GROUP)
    expect(out).toContain(`"${other.consumer.clientId}" audits nothing, or did not answer.`)
    const status = await scene.run('consumerStatus', '-g', GROUP, '-i', clientId)
    expect(status.out).toMatch(/sequenceAudit +: audited=3 lost=0 repeated=0 unstamped=1/)
  })
})
