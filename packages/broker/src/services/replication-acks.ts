/**
 * What a synchronous master waits for before it acknowledges a message: that enough slaves have it.
 * Owns the mark `replicated`; the leader of the replication says how far it is.
 * Source: Apache classes CommitLog (handleHA), GroupTransferService; `replication.md` section 5.
 */
import type { Clock } from '@rockhopper/host'
import { type ReplicaOutcome, type Replicas, Watermark } from '@rockhopper/store'

export interface AckRules {
  /** How many slaves must have a message, 1 or more. */
  readonly enough: number
  /** How long that is waited for. */
  readonly timeoutMs: number
  /** Brokers that must be in step for a message to be taken, the master among them. */
  readonly leastInStep: number
}

/** Who knows the slaves. */
interface Followers {
  /** How many of them could have a message that is stored now soon. */
  readonly followersNear: number
}

const NOBODY: Followers = { followersNear: 0 }

export class ReplicationAcks implements Replicas {
  readonly #clock: Clock
  readonly #rules: AckRules
  /** Enough slaves have everything before. Another one takes its place when they are gone. */
  #replicated: Watermark
  #followers: Followers = NOBODY

  constructor(clock: Clock, rules: AckRules) {
    this.#clock = clock
    this.#rules = rules
    this.#replicated = new Watermark(clock, 0)
  }

  /** From now on there may be slaves. */
  attach(followers: Followers): void {
    this.#followers = followers
  }

  readonly replicated = (to: number): void => {
    this.#replicated.advance(to)
  }

  /**
   * A slave is gone. Who waits for slaves that are not there learns it now, and not when its time is
   * over: the sender may have no longer than that.
   */
  lost(): void {
    if (this.#followers.followersNear >= this.#rules.enough) return
    const waitedFor = this.#replicated
    this.#replicated = new Watermark(this.#clock, waitedFor.value)
    waitedFor.close()
  }

  /** Ends all waits. */
  close(): void {
    this.#followers = NOBODY
    this.#replicated.close()
  }

  get refusal(): string | undefined {
    const { leastInStep } = this.#rules
    const inStep = 1 + this.#followers.followersNear
    if (inStep >= leastInStep) return undefined
    return (
      `the in-sync replicas are not enough: ${inStep} of ${leastInStep} brokers are in step ` +
      '(minInSyncReplicas); see to the slaves of this broker, or send to another one'
    )
  }

  settled(endOffset: number): ReplicaOutcome | Promise<ReplicaOutcome> {
    const { enough, timeoutMs } = this.#rules
    if (endOffset <= this.#replicated.value) return 'ok'
    if (this.#followers.followersNear < enough) return 'replica-absent'
    const mark = this.#replicated
    const reached = mark.reached(endOffset, { timeoutMs })
    if (reached === true) return 'ok'
    return reached.then((isReached) => {
      if (isReached) return 'ok'
      return mark === this.#replicated ? 'replica-timeout' : 'replica-absent'
    })
  }
}
