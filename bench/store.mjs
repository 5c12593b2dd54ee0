/**
 * The store alone, each figure beside its physical limit, which is measured in the same run.
 *
 *   npm run bench -- store [SCENARIO…] [--json] [--profile] [--folder DIR] [--messages N]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadLine, machineLine } from './machine.mjs'
import { append, sync } from './store-append.mjs'
import { profileTexts } from './store-profile.mjs'
import { query } from './store-query.mjs'
import { read } from './store-read.mjs'
import { rebuild, recovery } from './store-recovery.mjs'
import { Stage } from './store-stage.mjs'
import { topics } from './store-topics.mjs'

/** All but the last run when none is named. */
const scenarios = { append, sync, read, query, recovery, topics, rebuild }
const MOST_MEMORY_MIB = 200

export async function run(flags) {
  const { values, positionals } = parseArgs({
    args: flags,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      folder: { type: 'string', default: tmpdir() },
      messages: { type: 'string', default: '10000000' },
      profile: { type: 'boolean', default: false },
    },
  })
  const names = positionals.length === 0 ? Object.keys(scenarios).slice(0, -1) : positionals
  const unknown = names.find((name) => !Object.hasOwn(scenarios, name))
  if (unknown !== undefined) {
    const known = Object.keys(scenarios).join(', ')
    process.stderr.write(`The store has no bench "${unknown}": there are ${known}.\n`)
    process.exit(2)
  }
  await runAll(names, values)
}

async function runAll(names, { json, folder, messages, profile }) {
  const startMs = performance.now()
  const say = (text) => json || process.stdout.write(`${text}\n`)
  const profiles = profile ? mkdtempSync(join(folder, 'rockhopper-profiles-')) : undefined
  const options = { folder, profiles, messages: Number(messages) }
  const stage = new Stage(options, sayRows(say))
  const before = loadLine()
  say(`${machineLine()}\n${before}`)
  for (const name of names) await scenarios[name](stage)
  const after = loadLine()
  const seconds = Math.round((performance.now() - startMs) / 1_000)
  say(`${after}, after ${seconds} s`)
  const rows = stage.rows.map((row) => ({ ...row, targets: targetsOf(row) }))
  if (json)
    process.stdout.write(
      `${JSON.stringify({ machine: machineLine(), before, after, seconds, rows })}\n`,
    )
  if (profiles === undefined) return
  for (const text of profileTexts(profiles)) process.stderr.write(`\n${text}`)
  rmSync(profiles, { recursive: true })
}

/** A second row of the same name is the same figure beside another limit. */
function sayRows(say) {
  let last
  return (row) => {
    say(lineOf(row.name === last ? { ...row, name: '  the same' } : row))
    last = row.name
  }
}

/** A row as a line: the figure, its limit, their ratio, and whether that is what was aimed at. */
function lineOf(row) {
  const { cpuMicros, kernelShare, memoryPeakMib, note } = row
  const parts = [row.name.padEnd(58), amount(row.value, row.unit).padStart(15)]
  if (row.limit !== undefined) parts.push(limitOf(row))
  if (cpuMicros !== undefined) {
    const kernel = kernelShare === undefined ? '' : ` (${Math.round(100 * kernelShare)} % kernel)`
    parts.push(`${cpuMicros.toFixed(2)} µs CPU${kernel}`)
  }
  if (memoryPeakMib !== undefined) parts.push(`${Math.round(memoryPeakMib)} MiB resident`)
  if (note !== undefined) parts.push(note)
  const targets = targetsOf(row).map(({ text, met }) => `${met ? 'met' : 'MISSED'}: ${text}`)
  return [...parts, ...targets].join(' | ')
}

/** Rates are a part of their limit, times a multiple of it; the ratio of CPU is less noisy. */
function limitOf({ unit, limit, limitName, ratio, cpuRatio }) {
  const cpu = cpuRatio === undefined ? '' : `, by CPU ${cpuRatio.toFixed(2)}`
  const relation = unit === 's' ? 'times' : 'of'
  return `${ratio.toFixed(2)} ${relation} ${amount(limit, unit)}${cpu}: ${limitName}`
}

function targetsOf({ target = {}, value, unit, ratio, memoryPeakMib }) {
  const targets = []
  const { least, leastRatio, most } = target
  if (least !== undefined) targets.push({ text: `≥ ${amount(least, unit)}`, met: value >= least })
  if (most !== undefined) targets.push({ text: `< ${amount(most, unit)}`, met: value < most })
  if (leastRatio !== undefined)
    targets.push({ text: `ratio ≥ ${leastRatio}`, met: ratio >= leastRatio })
  if (memoryPeakMib >= MOST_MEMORY_MIB) {
    targets.push({ text: `< ${MOST_MEMORY_MIB} MiB resident`, met: false })
  }
  return targets
}

function amount(value, unit) {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 3
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })} ${unit}`
}
