/**
 * Looks over the metadata of a broker, the files `config/*.json`: which can be read, and how much is
 * in them. Owns nothing. Source: `store-format.md` section 16.
 */
import { type ReadOnlyDisk, readWholeFile } from '@rockhopper/host'
import { parseFastjson } from '@rockhopper/protocol'
import { DryDisk } from './dry-disk.ts'

export interface ConfigSurvey {
  readonly name: string
  readonly path: string
  readonly sizeBytes: number
  /** `backup`: only what `<name>.bak` holds can be read. */
  readonly state: 'readable' | 'backup' | 'unreadable'
  /** Number of entries of each table in the file. */
  readonly counts: Readonly<Record<string, number>>
}

export function surveyConfig(disk: ReadOnlyDisk, directory: string): ConfigSurvey[] {
  const names = disk.list(directory).filter((name) => /\.json(\.bak)?$/.test(name))
  const files = [...new Set(names.map((name) => name.replace(/\.bak$/, '')))]
  return files.map((name) => surveyFile(disk, directory, name))
}

function surveyFile(disk: ReadOnlyDisk, directory: string, name: string): ConfigSurvey {
  const path = `${directory}/${name}`
  const own = valueIn(disk, path)
  const value = own ?? valueIn(disk, `${path}.bak`)
  const sizeBytes = disk.stat(path)?.sizeBytes ?? 0
  if (value === undefined) return { name, path, sizeBytes, state: 'unreadable', counts: {} }
  const state = own === undefined ? 'backup' : 'readable'
  return { name, path, sizeBytes, state, counts: countsOf(value) }
}

function valueIn(disk: ReadOnlyDisk, path: string): object | undefined {
  try {
    const value = parseFastjson(readWholeFile(new DryDisk(disk), path)?.toString() ?? '')
    return typeof value === 'object' && value !== null ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function countsOf(value: object): Record<string, number> {
  const tables = Object.entries(value).filter(
    ([name, table]) => name !== 'dataVersion' && typeof table === 'object' && table !== null,
  )
  return Object.fromEntries(tables.map(([name, table]) => [name, Object.keys(table).length]))
}
