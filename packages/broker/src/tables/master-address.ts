/**
 * Where the master of this slave is, as the name servers said last: for requests, and for the stream
 * of its log. Owns the two addresses. A master that is gone stays known: it comes back there, or name
 * servers tell of another place.
 * Source: Apache class BrokerController, `handleRegisterBrokerResult`; `replication.md` section 1.
 */
import type { Clock } from '@rockhopper/host'
import { Watermark } from '@rockhopper/store'

export interface MasterPlace {
  /** Where it takes requests, `host:port`. */
  readonly address: string
  /** Where it sends its log from; undefined when it did not tell. */
  readonly haAddress: string | undefined
}

export class MasterAddress {
  /** Number of changes so far: who follows the master waits for the next one. */
  readonly revision: Watermark
  #place: MasterPlace | undefined

  constructor(clock: Clock) {
    this.revision = new Watermark(clock, 0)
  }

  /** Undefined while no name server has told of a master. */
  get place(): MasterPlace | undefined {
    return this.#place
  }

  /** Takes the word of a name server. */
  tell(place: MasterPlace): void {
    const { address, haAddress } = this.#place ?? {}
    if (address === place.address && haAddress === place.haAddress) return
    this.#place = place
    this.revision.advance(this.revision.value + 1)
  }
}
