/** Where the time of a process went, from what `node --cpu-prof` wrote: its functions by self time. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const SHOWN = 15

/** One text for each process. */
export function profileTexts(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .sort()
    .map((name) => textOf(name, JSON.parse(readFileSync(join(folder, name), 'utf8'))))
}

function textOf(name, { nodes, samples, timeDeltas }) {
  const micros = new Map()
  const byId = new Map(nodes.map((node) => [node.id, labelOf(node.callFrame)]))
  for (const [i, id] of samples.entries()) {
    const label = byId.get(id)
    micros.set(label, (micros.get(label) ?? 0) + timeDeltas[i])
  }
  micros.delete('(idle)')
  const total = [...micros.values()].reduce((sum, each) => sum + each, 0)
  const lines = [...micros]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([label, self]) => `  ${((100 * self) / total).toFixed(1).padStart(5)} %  ${label}`)
  const seconds = (total / 1e6).toFixed(1)
  return `${basename(name, '.cpuprofile')}, ${seconds} s without idle:\n${lines.join('\n')}\n`
}

function labelOf({ functionName, url, lineNumber }) {
  const place = url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`
  return `${functionName || '(anonymous)'}${place}`
}
