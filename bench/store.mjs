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
import { Stage } from './store-stage.mjs'

const scenarios = { append, sync }
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
  const names = positionals.length === 0 ? Object.keys(scenarios) : positionals
  const unknown = names.find((name) => !Object.hasOwn(scenarios, name))
  if (unknown !== undefined) {
    const known = Object.keys(scenarios).join(', ')
    process.stderr.write(`The store has no bench "${unknown}": there are ${known}.\n`)
    process.exit(2)
  }
  await runAll(names, values)
}

async function runAll(names, { json, folder, messages, profile }) {
  const say = (text) => json || process.stdout.write(`${text}\n`)
  const profiles = profile ? mkdtempSync(join(folder, 'rockhopper-profiles-')) : undefined
  const options = { folder, profiles, messages: Number(messages) }
  const stage = new Stage(options, (row) => say(lineOf(row)))
  const before = loadLine()
  say(`${machineLine()}\n${before}`)
  for (const name of names) await scenarios[name](stage)
  const after = loadLine()
  say(after)
  const rows = stage.rows.map((row) => ({ ...row, targets: targetsOf(row) }))
  if (json)
    process.stdout.write(`${JSON.stringify({ machine: machineLine(), before, after, rows })}\n`)
  if (profiles === undefined) return
  for (const text of profileTexts(profiles)) process.stderr.write(`\n${text}`)
  rmSync(profiles, { recursive: true })
}

/** A row as a line: the figure, its limit, their ratio, and whether that is what was aimed at. */
function lineOf(row) {
  const own = row.name.padEnd(58)
  const figure = [amount(row.value, row.unit).padStart(16)]
  if (row.cpuMicros !== undefined) figure.push(`${row.cpuMicros.toFixed(2).padStart(7)} µs CPU`)
  const parts = [figure.join(' ')]
  if (row.limit !== undefined) {
    const ratio = row.ratio.toFixed(2)
    parts.push(`${ratio} of ${amount(row.limit, row.limitUnit ?? row.unit)} (${row.limitName})`)
  }
  if (row.memoryPeakMib !== undefined) parts.push(`${Math.round(row.memoryPeakMib)} MiB resident`)
  if (row.note !== undefined) parts.push(row.note)
  const targets = targetsOf(row).map(({ text, met }) => `${met ? 'met' : 'MISSED'}: ${text}`)
  return [own, ...parts, ...targets].join(' | ')
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
