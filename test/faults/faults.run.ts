/** One long run with the options of `faults.mjs`, whose verdict it writes into a file. */
import { writeFileSync } from 'node:fs'
import { test } from 'vitest'
import { type Verdict, verdictOnKills, verdictOnPower } from './verdict.ts'

const { FAULTS_FLUSH, FAULTS_KILLS, FAULTS_POWER, FAULTS_RESULT = '', FAULTS_SEED } = process.env

test(`${FAULTS_KILLS} kills, ${FAULTS_POWER} losses of power`, async () => {
  const seed = Number(FAULTS_SEED)
  const types = (['ASYNC_FLUSH', 'SYNC_FLUSH'] as const).filter(
    (type) => FAULTS_FLUSH === 'both' || FAULTS_FLUSH === type,
  )
  const verdicts: Verdict[] = []
  const say = (verdict: Verdict): void => {
    verdicts.push(verdict)
    writeFileSync(FAULTS_RESULT, JSON.stringify(verdicts))
    process.stdout.write(`${verdict.text}\n`)
  }
  for (const flushDiskType of types) {
    const kills = Math.ceil(Number(FAULTS_KILLS) / types.length)
    if (kills > 0) say(await verdictOnKills({ kills, flushDiskType, seed }))
  }
  for (const flushDiskType of types) {
    const cycles = Number(FAULTS_POWER)
    if (cycles > 0) say(await verdictOnPower({ cycles, flushDiskType, seed }))
  }
})
