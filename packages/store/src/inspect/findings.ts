/**
 * What is wrong with a store, one thing at a time. Owns how much was found.
 */

/** One thing that is wrong. */
export interface Finding {
  readonly path: string
  /** Byte in the file. */
  readonly offset: number
  /** A sentence without its full stop. */
  readonly problem: string
  /** What to do, as another. */
  readonly advice: string
}

/** Who is told while a store is verified. */
export interface VerifyWatcher {
  finding(finding: Finding): void
  /** Bytes of the log that were read, and that there are. */
  progress(doneBytes: number, totalBytes: number): void
}

export const ADVICE = {
  rebuild: 'save what is sound with "rockhopper store rebuild", or bring the file back from a copy',
  mend: '"rockhopper store rebuild" turns it back',
  remakeQueue:
    'stop the broker and remove the folder of this queue and the file "queueends": all queues are made anew at the next start',
  remakeIndex: 'stop the broker and remove the folder "index": it is made anew at the next start',
  config: 'repair it by hand, or bring it back from a copy',
} as const

export class Findings {
  count = 0
  /** What the next start puts right by itself, as sentences. */
  readonly notes: string[] = []
  readonly #watcher: VerifyWatcher

  constructor(watcher: VerifyWatcher) {
    this.#watcher = watcher
  }

  add(path: string, offset: number, problem: string, advice: string): void {
    this.count += 1
    this.#watcher.finding({ path, offset, problem, advice })
  }
}

/** A finding on one line. */
export function findingLine({ advice, offset, path, problem }: Finding): string {
  return `${path}: byte ${offset}: ${problem}; ${advice}`
}
