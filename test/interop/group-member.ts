/**
 * What the facts about consumers know of a member of a group, whoever made it: a Java client of
 * either version or ours. One text of a fact is checked with all of them, and with mixtures.
 */
import type { Received } from './java-client.ts'

export interface PushOptions {
  readonly group: string
  readonly topic: string
  /** Tags, as `a || b`; all messages without this and `sql`. */
  readonly filter?: string
  readonly sql?: string
  readonly orderly?: boolean
  readonly broadcasting?: boolean
  /** The name of the instance, where it must be the same again. */
  readonly instance?: string
  /** How long a listener takes. */
  readonly handleMs?: number
  /** Messages with this tag fail as long as they have failed less than `times` times. */
  readonly fail?: { readonly tag: string; readonly times: number }
  readonly maxReconsumeTimes?: number
}

export interface LiteOptions {
  readonly group: string
  /** With a topic it subscribes to it; without one, `assign` says what it reads. */
  readonly topic?: string
  readonly filter?: string
}

/** One call of a listener, or one message that was fetched; times in ms since 1970. */
export interface Handled extends Received {
  readonly beganAt: number
  readonly endedAt: number
  readonly outcome: 'done' | 'failed'
  /** The topic that a retried or dead message was sent to first. */
  readonly realTopic: string | null
  /** The broker's id of the message that a retried or dead one comes from. */
  readonly originId: string | null
}

export interface Member {
  /** Tells whose client it is. */
  readonly label: string
  readonly messages: readonly Handled[]
  /** The queues it owns now, each as `broker:queueId`; those of its topic only. */
  readonly queues: readonly string[]
  close(): Promise<void>
}

export interface LiteMember extends Member {
  /** Reads all queues of a topic. */
  assign(topic: string): Promise<void>
  /** Goes on at an offset of a queue, which is named as `queues` names it. */
  seek(queue: string, offset: number): Promise<void>
  /** Fetches once; `messages` has what came. */
  poll(): Promise<void>
  /** Commits what was fetched. */
  commit(): Promise<void>
}

/** Makes members. */
export interface MemberMaker {
  /** Short, for names of topics and groups. */
  readonly name: string
  readonly label: string
  /** Starts a member; rejects with what its client says when it does not start. */
  open(options: PushOptions): Promise<Member>
  openLite(options: LiteOptions): Promise<LiteMember>
  /** Ends what is left. */
  close(): Promise<void>
}
