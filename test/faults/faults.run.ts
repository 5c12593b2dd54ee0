/**
 * One long run with the options of `faults.mjs`, whose verdict it writes into a file. It is bundled
 * and run by Node alone: it shares two processors with a broker, and must be quick itself.
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { verdictOnCluster, verdictOnLostDisk } from './cluster-verdict.ts'
import { verdictOnPartitions } from './partition-verdict.ts'
import { verdictOnTimers } from './timer-storm.ts'
import {
  type Verdict,
  verdictOnGroups,
  verdictOnKills,
  verdictOnPower,
  verdictOnTransactions,
} from './verdict.ts'

/** The longest time that a message of a storm waits. */
const MAX_DELAY_MS = 120_000

const { FAULTS_FLUSH, FAULTS_KILLS, FAULTS_POWER, FAULTS_RESULT = '', FAULTS_SEED } = process.env

async function run(): Promise<void> {
  const seed = Number(FAULTS_SEED)
  const cycles = Number(FAULTS_POWER)
  const types = (['ASYNC_FLUSH', 'SYNC_FLUSH'] as const).filter(
    (type) => FAULTS_FLUSH === 'both' || FAULTS_FLUSH === type,
  )
  const verdicts: Verdict[] = []
  const say = (verdict: Verdict): void => {
    verdicts.push(verdict)
    process.stdout.write(`${verdict.text}\n\n`)
  }
  const transactions = Number(process.env['FAULTS_TRANSACTIONS'])
  const allKills = Number(FAULTS_KILLS)
  if (transactions > 0) say(await verdictOnTransactions({ transactions, kills: allKills, seed }))
  const isCluster = process.env['FAULTS_CLUSTER'] === 'true'
  const load = {
    seconds: Number(process.env['FAULTS_SECONDS']),
    perSecond: Number(process.env['FAULTS_RATE']),
  }
  if (isCluster) say(await verdictOnCluster({ ...load, kills: allKills }))
  if (process.env['FAULTS_LOST_DISK'] === 'true') say(await verdictOnLostDisk(load))
  if (process.env['FAULTS_PARTITIONS'] === 'true') {
    say(await verdictOnPartitions({ ...load, only: process.env['FAULTS_ONLY'] ?? '' }))
  }
  const kills = transactions > 0 || isCluster ? 0 : Math.ceil(allKills / types.length)
  for (const flushDiskType of types) {
    if (kills > 0) say(await verdictOnKills({ kills, flushDiskType, seed }))
  }
  for (const flushDiskType of types) {
    if (cycles > 0) say(await verdictOnPower({ cycles, flushDiskType, seed }))
  }
  const events = Number(process.env['FAULTS_GROUP'])
  if (events > 0) say(await verdictOnGroups({ events, seed }))
  const messages = Number(process.env['FAULTS_TIMERS'])
  if (messages > 0) say(await verdictOnTimers({ messages, maxDelayMs: MAX_DELAY_MS, seed }))
  writeFileSync(FAULTS_RESULT, JSON.stringify(verdicts))
}

// Who started it is gone, or wants the end; the first process of a namespace must say so itself.
process.stdin.once('end', () => process.exit(1)).resume()
process.once('SIGINT', () => process.exit(1))
await run()
process.exit(0)
