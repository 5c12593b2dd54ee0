/**
 * Notes in memory which messages were handled: for one process, as long as it runs. Owns the notes.
 */
import { type Host, nodeHost } from '@rockhopper/host'
import { HandledKeys, type KeyLimits } from './handled-keys.ts'
import type { Claim, OnceStore } from './once.ts'

export interface MemoryOnceOptions extends KeyLimits {
  /** Whose clock is used; the real one when absent. */
  readonly host?: Pick<Host, 'clock'>
}

export class MemoryOnceStore implements OnceStore {
  readonly #keys: HandledKeys

  /** Throws `ClientError` BAD_OPTION. */
  constructor(options: MemoryOnceOptions = {}) {
    this.#keys = new HandledKeys((options.host ?? nodeHost()).clock, options)
  }

  claim(key: string, leaseMs: number): Claim {
    return this.#keys.claim(key, leaseMs)
  }

  finish(key: string): void {
    this.#keys.add(key)
  }

  release(key: string): void {
    this.#keys.release(key)
  }
}
