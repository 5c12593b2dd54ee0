/**
 * Where a store keeps what. Owns nothing. Source of all but sums and the queue ends, which are
 * ours: `store-format.md` section 1.
 */
import type { StoreConfig } from './config.ts'

export interface StorePaths {
  readonly root: string
  readonly commitLog: string
  readonly queues: string
  readonly sums: string
  readonly queueEnds: string
  readonly keyIndex: string
  readonly keyIndexSums: string
  readonly checkpoint: string
  readonly abort: string
  readonly cutOff: string
}

export function pathsOf({
  rootDirectory,
  commitLogDirectory,
}: Pick<StoreConfig, 'rootDirectory' | 'commitLogDirectory'>): StorePaths {
  return {
    root: rootDirectory,
    commitLog: commitLogDirectory ?? `${rootDirectory}/commitlog`,
    queues: `${rootDirectory}/consumequeue`,
    sums: `${rootDirectory}/logsums`,
    queueEnds: `${rootDirectory}/queueends`,
    keyIndex: `${rootDirectory}/index`,
    keyIndexSums: `${rootDirectory}/indexsums`,
    checkpoint: `${rootDirectory}/checkpoint`,
    abort: `${rootDirectory}/abort`,
    cutOff: `${rootDirectory}/cutoff`,
  }
}
