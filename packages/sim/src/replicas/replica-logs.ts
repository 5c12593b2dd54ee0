/**
 * The commit logs of brokers as they lie on their simulated disks, and whether two are the same. Owns
 * nothing; brokers do not notice that their files are read.
 */
import { type Disk, readWholeFile } from '@rockhopper/host'
import type { ReplicaBroker } from './replica-cluster.ts'

const LOG_FOLDER = '/home/rockhopper/store/commitlog'

/** The files of a log by their names, each up to its last byte that is not zero. */
type LogImage = ReadonlyMap<string, Buffer>

/** In what the logs of a master and its slave differ, as a sentence; undefined when they are equal. */
export function differenceOf(master: ReplicaBroker, slave: ReplicaBroker): string | undefined {
  const [its, own] = [imageOf(master.process.host.disk), imageOf(slave.process.host.disk)]
  const [first] = [...own.keys()]
  const name = slave.process.host.name
  if (first === undefined) return its.size === 0 ? undefined : `${name} has no log`
  for (const file of new Set([...its.keys(), ...own.keys()])) {
    // A slave that began empty has no more than its master had then.
    if (file < first) continue
    const difference = differenceOfFile(its.get(file), own.get(file))
    if (difference !== undefined) {
      return `in ${file}, ${difference} in the log of ${name} is not as in that of its master`
    }
  }
  return undefined
}

function differenceOfFile(its: Buffer = NOTHING, own: Buffer = NOTHING): string | undefined {
  const common = Math.min(its.length, own.length)
  for (let at = 0; at < common; at += 1) if (its[at] !== own[at]) return `byte ${at}`
  if (own.length > its.length) return `byte ${common}, where the master's ends,`
  return own.length < its.length ? `byte ${common}, where it ends,` : undefined
}

function imageOf(disk: Disk): LogImage {
  return new Map(
    disk
      .list(LOG_FOLDER)
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [name, withoutZeros(readWholeFile(disk, `${LOG_FOLDER}/${name}`))]),
  )
}

const NOTHING = Buffer.alloc(0)

function withoutZeros(bytes: Buffer = NOTHING): Buffer {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return bytes.subarray(0, end)
}
