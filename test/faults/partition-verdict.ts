/**
 * What a run over a network that is cut came to, in words. Owns nothing.
 */
import { PATTERNS, type Pattern } from './partition-patterns.ts'
import { HEAL_LIMIT_MS, type PatternOutcome, partitionStorm } from './partition-storm.ts'
import type { Verdict } from './verdict.ts'

export interface PartitionOptions {
  /** Numbers of patterns, from 1, with commas between; empty for all. */
  readonly only: string
  readonly seconds: number
  readonly perSecond: number
}

export async function verdictOnPartitions(options: PartitionOptions): Promise<Verdict> {
  const { only, perSecond, seconds } = options
  const patterns = patternsOf(only)
  const choice = only === '' ? '' : ` --only ${only}`
  const again = `again: npm run test:faults -- --partitions${choice} --rate ${perSecond} --seconds ${seconds}`
  let longestMs = 0
  let played = 0
  const say = (outcome: PatternOutcome): void => {
    print(outcome.name, [lineOf(outcome), ...outcome.findings].join('\n   '))
    longestMs = Math.max(longestMs, ...Object.values(outcome.healing))
    played++
  }
  const skip = ({ name }: Pattern, obstacle: string): void => print(name, `skipped: ${obstacle}`)
  try {
    const report = await partitionStorm({ patterns, perSecond, seconds, say, skip })
    const { acknowledged, compared, delivered, findings, folder, lessSafe, load, repeats } = report
    const good = findings.length === 0
    const summary =
      `${good ? 'passed' : 'failed'}: ${played} patterns of partitions of ${seconds} s: ` +
      `everything worked again after ${secondsOf(longestMs)} at the most (${HEAL_LIMIT_MS / 1_000} s are allowed); ` +
      `${acknowledged} acknowledged (${lessSafe} without the slave), ${compared} compared, ` +
      `${delivered} delivered and ${repeats} of them again; ${load.failures} sends failed after ` +
      `their retries, longest time without an acknowledgement ${secondsOf(load.longestGapMs)}`
    const failure = load.lastFailure === undefined ? [] : [`last failure: ${load.lastFailure}`]
    const hint = good ? failure : [`what is left is in ${folder}; ${again}`]
    return { good, summary, text: [...findings, summary, ...hint].join('\n') }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const summary = `failed: partitions: ${reason.split('\n')[0]}`
    return { good: false, summary, text: `${summary}\n${reason}\n${again}` }
  }
}

function patternsOf(only: string): readonly Pattern[] {
  if (only === '') return PATTERNS
  return only.split(',').flatMap((number) => PATTERNS[Number(number) - 1] ?? [])
}

function print(patternName: string, text: string): void {
  const number = PATTERNS.findIndex(({ name }) => name === patternName) + 1
  process.stdout.write(`${number}. ${patternName}: ${text}\n`)
}

function lineOf({ acknowledged, calm, healing, lessSafe }: PatternOutcome): string {
  const { consumersMs, sendsMs, slavesMs } = healing
  return (
    `${acknowledged} acknowledged meanwhile (${lessSafe} without the slave); healed: ` +
    `sends ${secondsOf(sendsMs)}, slaves ${secondsOf(slavesMs)}, consumers ${secondsOf(consumersMs)} ` +
    `(all of it in calm: ${secondsOf(Math.max(...Object.values(calm)))})`
  )
}

function secondsOf(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1_000).toFixed(1)} s` : 'never'
}
