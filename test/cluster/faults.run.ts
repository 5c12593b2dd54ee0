/** One long storm with the options of `faults.mjs`, whose figures it writes into a file. */
import { writeFileSync } from 'node:fs'
import { test } from 'vitest'
import { storm } from './storm.ts'

const { FAULTS_FLUSH, FAULTS_KILLS, FAULTS_RESULT = '', FAULTS_SEED } = process.env

test(`${FAULTS_KILLS} kills with ${FAULTS_FLUSH}`, async (context) => {
  const aftermath = await storm(context, {
    kills: Number(FAULTS_KILLS),
    flushDiskType: FAULTS_FLUSH === 'SYNC_FLUSH' ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
    seed: Number(FAULTS_SEED),
    acknowledgementsPerLife: 4_000,
  })
  writeFileSync(FAULTS_RESULT, JSON.stringify(aftermath))
})
