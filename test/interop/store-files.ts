/**
 * What the files of a store directory say, read without any broker: units of queues and entries of
 * the key index. Layouts: `ConsumeQueue` and `IndexFile` of Apache's store.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { indexEntries, indexSlots } from './moving-store.ts'

const unitBytes = 20

/**
 * All files of queues by their path below `consumequeue`, as text of one line per unit. Files of
 * zeros are left out: whoever makes them ahead of need says nothing with it.
 */
export function queueFiles(directory: string): Map<string, string[]> {
  const root = join(directory, 'consumequeue')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/\d{20}$/.test(name))
    .sort()
  return new Map(
    files.flatMap((name) => {
      const bytes = readFileSync(join(root, name))
      return isZeros(bytes) ? [] : [[name, unitsOf(bytes)]]
    }),
  )
}

function unitsOf(bytes: Buffer): string[] {
  const units: string[] = []
  for (let at = 0; at < bytes.length; at += unitBytes) {
    const logOffset = bytes.readBigInt64BE(at)
    const size = bytes.readInt32BE(at + 8)
    units.push(`${logOffset} ${size} ${bytes.readBigInt64BE(at + 12)}`)
  }
  return units
}

/** All segments of the log that have anything in them, by name. */
export function logFiles(directory: string): Map<string, Buffer> {
  const root = join(directory, 'commitlog')
  return new Map(
    readdirSync(root)
      .sort()
      .flatMap((name) => {
        const bytes = readFileSync(join(root, name))
        return isZeros(bytes) ? [] : [[name, bytes]]
      }),
  )
}

function isZeros(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

const headerBytes = 40
const entryBytes = 20

/**
 * The entries of all index files, hash and log offset, in the order of the files and of their
 * numbers.
 */
export function indexEntriesOf(directory: string): string[] {
  const root = join(directory, 'index')
  if (!existsSync(root)) return []
  return readdirSync(root)
    .sort()
    .flatMap((name) => entriesOf(readFileSync(join(root, name))))
}

function entriesOf(bytes: Buffer): string[] {
  const next = bytes.readInt32BE(36)
  const first = headerBytes + indexSlots * 4
  return Array.from({ length: Math.min(next, indexEntries) - 1 }, (_, i) => {
    const at = first + (i + 1) * entryBytes
    return `${bytes.readInt32BE(at)} ${bytes.readBigInt64BE(at + 4)}`
  })
}
