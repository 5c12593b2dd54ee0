/**
 * mqadmin as an operator runs it, against a name server and a broker of ours in one process: each
 * verb once, what it prints, and how it fails.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../processes/port.ts'
import { build, type Ended, type Program, run, start, temporaryFolder } from './program.ts'

const folder = temporaryFolder()
let namesrvPort = 0
let brokerPort = 0
let rockhopper: Program

function startRockhopper(): Program {
  const ports = ['--namesrvPort', String(namesrvPort), '--listenPort', String(brokerPort)]
  return start('rockhopper', ports, folder)
}

beforeAll(async () => {
  build()
  namesrvPort = await freePort()
  brokerPort = await freePort()
  rockhopper = startRockhopper()
  await rockhopper.says('clients will be told to connect to')
})

function admin(...words: readonly string[]): Promise<Ended> {
  return run('mqadmin', [...words, '-n', `127.0.0.1:${namesrvPort}`], folder)
}

/** Runs a verb that must succeed, with `--json`. */
async function adminJson(...words: readonly string[]): Promise<unknown> {
  const { code, out, errors } = await admin(...words, '--json')
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  return JSON.parse(out)
}

test('rockhopper says that both are up, and where clients will connect to', () => {
  expect(rockhopper.out).toContain(
    `The Name Server boot success. serializeType=JSON, address 127.0.0.1:${namesrvPort}\n`,
  )
  expect(rockhopper.out).toMatch(
    new RegExp(
      `The broker\\[.+, 127\\.0\\.0\\.1:${brokerPort}\\] boot success\\. serializeType=JSON`,
    ),
  )
  expect(rockhopper.out).toContain(`and name server is 127.0.0.1:${namesrvPort}\n`)
  expect(rockhopper.out).toContain(`clients will be told to connect to 127.0.0.1:${brokerPort}\n`)
})

describe('a topic from its creation to its deletion', () => {
  const topic = 'AdminTopic'

  test('updateTopic creates it', async () => {
    const words = ['updateTopic', '-c', 'DefaultCluster', '-t', topic, '-r', '2', '-w', '2']
    const { code, out, errors } = await admin(...words)
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(out).toContain(`create topic to 127.0.0.1:${brokerPort} success.\n`)
  })

  test('topicList and topicRoute show it', async () => {
    expect(await adminJson('topicList')).toContain(topic)
    expect(await adminJson('topicRoute', '-t', topic)).toMatchObject({
      brokerDatas: [{ brokerAddrs: { 0: `127.0.0.1:${brokerPort}` }, cluster: 'DefaultCluster' }],
      queueDatas: [{ readQueueNums: 2, writeQueueNums: 2, perm: 6 }],
    })
  })

  test('sendMessage sends to the queue it is told, topicStatus counts it', async () => {
    const [{ brokerName }] = (await adminJson('clusterList')) as [{ brokerName: string }]
    const words = [
      '-t',
      topic,
      '-p',
      ' Grüße ',
      '-k',
      'k1 k2',
      '-c',
      'A',
      '-b',
      brokerName,
      '-i',
      '1',
    ]
    const { code, out, errors } = await admin('sendMessage', ...words)
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    const [titles = '', row = ''] = out.split('\n')
    expect(titles.split(/ +(?=#)/)).toEqual(['#Broker Name', '#QID', '#Send Result', '#MsgId'])
    expect(row.split(/ +/)).toEqual([
      brokerName,
      '1',
      'SEND_OK',
      expect.stringMatching(/^[0-9A-F]{32}$/),
    ])
    expect(await adminJson('topicStatus', '-t', topic)).toMatchObject({
      queues: [
        { queue: { queueId: 0 }, minOffset: 0, maxOffset: 0, lastUpdateTimestamp: 0 },
        { queue: { queueId: 1 }, minOffset: 0, maxOffset: 1 },
      ],
    })
  })

  test('consumeMessage shows the message as it was sent', async () => {
    const { out } = await admin('consumeMessage', '-t', topic)
    expect(out).toMatch(/^Consume ok\nMSGID: [0-9A-F]{32} MessageExt \[.+\] BODY: {2}Grüße \n$/s)
    const read = await adminJson('consumeMessage', '-t', topic)
    expect(read).toMatchObject([
      { queue: { queueId: 0 }, messages: [] },
      {
        queue: { queueId: 1 },
        more: false,
        messages: [{ body: ' Grüße ', queueOffset: 0, properties: { TAGS: 'A', KEYS: 'k1 k2' } }],
      },
    ])
  })

  test('times are printed and read in the form and the zone of the reader', async () => {
    const { out } = await admin('topicStatus', '-t', topic)
    const [, day = '', time = ''] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d,\d{3})$/m.exec(out) ?? []
    const stored = `${day}#${time.replace(',', ':')}`
    const found = async (...scope: readonly string[]): Promise<number> => {
      const read = await adminJson('consumeMessage', '-t', topic, ...scope)
      return (read as { messages: unknown[] }[]).flatMap(({ messages }) => messages).length
    }
    expect(await found('-s', stored, '-e', stored)).toBe(1)
    expect(await found('-e', stored.replace(/^\d{4}/, '2001'))).toBe(0)
  })

  test('the message outlives the process, which ends with 0 on SIGTERM', async () => {
    rockhopper.signal('SIGTERM')
    expect(await rockhopper.ended()).toMatchObject({ code: 0, errors: '' })
    rockhopper = startRockhopper()
    await rockhopper.says('clients will be told to connect to')
    const { out } = await admin('consumeMessage', '-t', topic)
    expect(out).toContain('BODY:  Grüße ')
  })

  test('deleteTopic deletes it', async () => {
    const { code, out } = await admin('deleteTopic', '-c', 'DefaultCluster', '-t', topic)
    expect(code).toBe(0)
    expect(out).toBe(
      `delete topic [${topic}] from cluster [DefaultCluster] success.\n` +
        `delete topic [${topic}] from NameServer success.\n`,
    )
    expect(await adminJson('topicList')).not.toContain(topic)
    expect(await admin('topicRoute', '-t', topic)).toMatchObject({
      ...{ code: 1, out: '', errors: expect.stringMatching(/^CODE: 17 /) },
    })
  })
})

test('clusterList shows the broker', async () => {
  const { out } = await admin('clusterList')
  expect(out).toMatch(
    new RegExp(`^DefaultCluster .* 0 +127\\.0\\.0\\.1:${brokerPort} +V5_3_3 .*true$`, 'm'),
  )
})

test('consumerProgress without a group shows the titles when there are no groups', async () => {
  const { code, out } = await admin('consumerProgress')
  expect(code).toBe(0)
  expect(out).toMatch(/^#Group +#Count +#Version +#Type +#Model +#TPS +#Diff Total\n/)
})

test.each([
  [
    ['updateTopic', '-c', 'Wrong', '-t', 'T'],
    /There is no cluster "Wrong" .* knows DefaultCluster/,
  ],
  [['topiclst'], /^The sub command topiclst not exist\. Did you mean topicList\?/],
  [['topicRoute'], /^Required option '-t, --topic <text>' not specified\./],
])('%j fails with 1 and a sentence', async (words, sentence) => {
  const { code, out, errors } = await admin(...words)
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(errors).toMatch(sentence)
})

test('a name server that is not there is named', async () => {
  const port = await freePort()
  const { code, errors } = await run('mqadmin', ['topicList', '-n', `127.0.0.1:${port}`], folder)
  expect(code).toBe(1)
  expect(errors).toContain(`The name server at 127.0.0.1:${port} cannot be reached`)
})

test('rockhopper names the port that is taken, and ends with 1', async () => {
  const again = startRockhopper()
  const { code, out, errors } = await again.ended()
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(errors).toContain(String(namesrvPort))
  expect(errors).not.toContain('    at ')
})
