/** Two brokers that were told to keep their messages in the same folder. */
import { expect, test } from 'vitest'
import { openStage } from './stage.ts'
import { flawless, Traffic } from './traffic.ts'

const END_TIMEOUT_MS = 60_000

test('a second broker on the folder of a running one refuses to start and names the one that has it', {
  timeout: 120_000,
}, async (context) => {
  const stage = await openStage(context)
  const traffic = await Traffic.open(stage)
  traffic.send(64)
  await traffic.untilAcknowledged(100)

  const second = (await stage.anotherBroker({ brokerName: 'broker-b' })).launch()
  expect(await second.end(END_TIMEOUT_MS)).toBe(1)
  const { pid } = stage.broker.child
  expect(second.errorLines.join('\n')).toContain(
    `the folder "${stage.store}" is in use by process ${pid} (`,
  )
  expect(second.lines.join('\n')).not.toContain('boot success')

  await traffic.untilAcknowledged(100)
  expect(await traffic.judge()).toMatchObject(flawless)
})
