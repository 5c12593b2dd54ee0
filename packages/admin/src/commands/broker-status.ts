/** `mqadmin brokerStatus`: everything that brokers tell of themselves. */
import type { KvTable } from '@rockhopper/protocol'
import { brokerStatus } from '../operations/broker-status.ts'
import { verb } from '../verb.ts'
import { targetOf, targetOptions } from './target.ts'

export const brokerStatusVerb = verb({
  name: 'brokerStatus',
  description: 'Fetch broker runtime status data.',
  options: targetOptions,
  async run({ client }, options) {
    const target = targetOf(options)
    const brokers = await brokerStatus(client, target)
    const lines = [...brokers].flatMap(([address, runtime]) => {
      const rows = linesOf(runtime)
      return 'brokerAddr' in target ? rows : rows.map((row) => `${address.padEnd(24)} ${row}`)
    })
    return { lines, json: brokers }
  },
})

function linesOf(runtime: KvTable): string[] {
  const rows = [...runtime].sort(([left], [right]) => (left < right ? -1 : 1))
  return rows.map(([key, value]) => `${key.padEnd(32)}: ${value}`)
}
