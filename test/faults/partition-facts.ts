/**
 * What the processes with clients say and are told, a JSON text per line. Owns nothing.
 */
import type { SendStatus } from '@rockhopper/client'

/** The message, and where it is stored. */
export type Acknowledged = readonly [
  number: number,
  brokerName: string,
  queueId: number,
  queueOffset: number,
  status: SendStatus,
]

export type Delivered = readonly [number: number, brokerName: string, queueId: number]

/** The whole run of a load. */
export interface LoadFigures {
  /** Sends that failed after the retries of the producer. */
  readonly failures: number
  readonly longestGapMs: number
  readonly lastFailure: string | undefined
}

/** A line of the output of a client; its time is monotonic, in ms, and the same for all processes. */
export interface ClientFacts {
  readonly atMs?: number
  readonly started?: true
  readonly acknowledged?: readonly Acknowledged[]
  readonly delivered?: readonly Delivered[]
  /** The number of the message that is begun next. */
  readonly next?: number
  readonly stopped?: LoadFigures
}

/** A line of its input: say what is next; begin nothing more. */
export type ClientOrder = 'mark' | 'stop'
