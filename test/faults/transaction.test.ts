/** Transactions in real processes while the broker and the producers are killed. */
import { expect, test } from 'vitest'
import { transactionStorm } from './transaction-storm.ts'

const TIMEOUT_MS = 240_000

test('300 transactions end as their producers say, and once, over two kills of each', {
  timeout: TIMEOUT_MS,
}, async () => {
  const report = await transactionStorm({ transactions: 300, kills: 2, producers: 2, seed: 3 })
  expect(report.findings).toEqual([])
  expect(report.stored).toBeGreaterThanOrEqual(300)
  expect(report.asked).toBeGreaterThanOrEqual(report.unknown)
  expect([report.brokerKills, report.producerKills]).toEqual([2, 2])
})
