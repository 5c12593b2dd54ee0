/**
 * Which topics a broker knows, by its own metadata. Owns nothing.
 */
import { type ReadOnlyDisk, readWholeFile } from '@rockhopper/host'
import { parseFastjson } from '@rockhopper/protocol'
import { DryDisk } from './dry-disk.ts'
import type { StoreFolder } from './store-folder.ts'

/** Names in `config/topics.json`; none when it cannot be read. */
export function topicsIn(disk: ReadOnlyDisk, { config }: StoreFolder): Set<string> {
  try {
    const text = readWholeFile(new DryDisk(disk), `${config}/topics.json`)?.toString() ?? '{}'
    const value = parseFastjson(text) as { topicConfigTable?: object } | null
    return new Set(Object.keys(value?.topicConfigTable ?? {}))
  } catch (error) {
    if (error instanceof SyntaxError) return new Set()
    throw error
  }
}
