/** Shared requests against the broker of this suite: what each caller is told is what is stored. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { DefaultProducer, PullConsumer } from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'
import { failure } from './scene.ts'

const TOPIC = 'orders'

test('each message is where its result says, with its own key, and what is too long fails alone', async () => {
  const world = createWorld(5)
  const run = <T>(promise: Promise<T>): Promise<T> => world.clock.settle(promise)
  const namesrvAddr = `${world.host('namesrv').ip}:9876`
  const namesrvText = 'bindAddress=0.0.0.0\nlistenPort=9876'
  const { values } = readNamesrvConfig(namesrvText, 'the test')
  await run(startNamesrv(world.host('namesrv').doors, values))
  const { doors, ip } = world.host('broker-a')
  const brokerText =
    `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${namesrvAddr}\nstorePathRootDir=/store\n` +
    'mappedFileSizeCommitLog=4194304\nmaxMessageSize=2000'
  const config = completeBrokerConfig(readBrokerConfig(brokerText, 'the test').values, doors)
  await run(startBroker(doors, config))

  const host = world.host('producer').doors
  const options = { namesrvAddr, host, autoBatch: true, compressFromBytes: 100_000 }
  const producer = new DefaultProducer({ group: 'senders', ...options })
  await run(producer.start())
  await run(producer.send({ topic: TOPIC, body: 'first' }))
  const sends = Array.from({ length: 5 }, (_, i) =>
    producer.sendAsync({ topic: TOPIC, body: `m${i}` }),
  )
  const tooLong = failure(producer.sendAsync({ topic: TOPIC, body: 'x'.repeat(3000) }))
  const results = await run(Promise.all(sends))
  expect(await run(tooLong)).toMatchObject({ responseCode: 13 })

  const reader = new PullConsumer({ group: 'readers', namesrvAddr, host })
  await run(reader.start())
  for (const [i, result] of results.entries()) {
    const { messages } = await run(reader.pull(result.queue, '*', result.queueOffset, 1))
    const [found] = messages
    expect(found?.body.toString()).toBe(`m${i}`)
    expect(found?.msgId).toBe(result.msgId)
    expect(found?.offsetMsgId).toBe(result.offsetMsgId)
  }
  await run(Promise.all([reader.close(), producer.close()]))
})
