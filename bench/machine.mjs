/** What a figure was measured on: one line in front of each. */
import { cpus, totalmem } from 'node:os'

export function machineLine() {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${cpu?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${memory} GiB, Node ${process.version}`
}
