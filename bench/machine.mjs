/** What a figure was measured on: one line in front of each. */
import { cpus, loadavg, totalmem } from 'node:os'

export function machineLine() {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${cpu?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${memory} GiB, Node ${process.version}`
}

/** What else the machine is busy with: processes that want to run, in the last 1, 5 and 15 minutes. */
export function loadLine() {
  return `load ${loadavg()
    .map((each) => each.toFixed(2))
    .join(' ')}`
}
