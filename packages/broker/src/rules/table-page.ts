/**
 * A table in parts, for a slave that asks so: a frame does not hold the topics of a very large broker.
 * Who asks for no part gets everything, as from Apache's brokers up to 5.3.3.
 * Source: Apache class AdminBrokerProcessor (`enableSplitMetadata`); `broker-api.md` section 8.3.
 */
import { type DataVersion, dataVersionOf, sameDataVersion } from '@rockhopper/protocol'
import { MAX_ROWS_PER_PAGE } from '../limits.ts'

/** What a request says of parts; each may be missing. */
export interface PageWish {
  /** Rows that the asker has. */
  readonly seq: number | undefined
  /** Version of the table that they are of, as JSON; empty with the first part. */
  readonly dataVersion: string | undefined
  readonly maxRows: number | undefined
}

export interface Page {
  /** Names of the rows, in their order. */
  readonly names: readonly string[]
  /** Rows of the table; undefined when the asker does not think of parts. */
  readonly total: number | undefined
}

/**
 * The rows that follow those that the asker has; the first ones when the table has changed since.
 * One row more than a page goes with it: Apache's slaves take a table for whole that lacks one.
 */
export function pageOf(all: Iterable<string>, wish: PageWish, version: DataVersion): Page {
  const { dataVersion, maxRows, seq } = wish
  if (seq === undefined && dataVersion === undefined && maxRows === undefined) {
    return { names: [...all], total: undefined }
  }
  const names = [...all].sort()
  const from = isOfVersion(dataVersion, version) ? Math.max(0, seq ?? 0) : 0
  const asked = maxRows === undefined || maxRows < 1 ? MAX_ROWS_PER_PAGE : maxRows
  const to = from + Math.min(asked, MAX_ROWS_PER_PAGE)
  return { names: names.slice(from, to === names.length - 1 ? to + 1 : to), total: names.length }
}

function isOfVersion(text: string | undefined, version: DataVersion): boolean {
  if (text === undefined || text.trim() === '') return false
  try {
    return sameDataVersion(dataVersionOf(JSON.parse(text)), version)
  } catch {
    return false
  }
}
