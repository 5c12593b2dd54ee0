/**
 * The slave's side of replication, as a machine: what happens goes in, what is to be done comes out.
 * It never sees a stream, a file or a clock. Owns where the slave is in the life of a connection.
 *
 *   resting → connecting → following → (the connection ends) → resting → …
 *
 * Source: Apache class DefaultHAClient; `replication.md` section 4.
 */
import type { Address } from '@rockhopper/host'

export interface FollowerRules {
  /** The master hears something at least so often, in ms. */
  readonly heartbeatMs: number
  /** A master that was silent for so long is given up, in ms. */
  readonly silenceMs: number
  /** Pause before the next connection when one failed, in ms. */
  readonly retryMs: number
}

/** All times are monotonic, in ms. */
export type FollowerEvent =
  /** Where the master is; undefined when nobody knows. */
  | { readonly kind: 'addressed'; readonly address: Address | undefined; readonly atMs: number }
  | { readonly kind: 'connected'; readonly atMs: number }
  /** A connection could not be made, or has ended. */
  | { readonly kind: 'closed'; readonly atMs: number }
  /** A frame begins; `endOffset` is where the slave's log, with what came in part, ends. */
  | {
      readonly kind: 'framed'
      readonly offset: number
      readonly endOffset: number
      readonly isEmpty: boolean
      readonly atMs: number
    }
  /** Bytes could not become a part of the log. */
  | { readonly kind: 'refused'; readonly reason: string; readonly atMs: number }
  /** The slave's log is as safe as the slave promises up to here. */
  | { readonly kind: 'safe'; readonly to: number; readonly atMs: number }
  | { readonly kind: 'ticked'; readonly atMs: number }

export type FollowerEffect =
  /** `connected` or `closed` is to follow. */
  | { readonly kind: 'connect'; readonly address: Address }
  | { readonly kind: 'report'; readonly offset: number }
  /** Ends the connection, or gives up making it; `closed` is not to follow. */
  | { readonly kind: 'close'; readonly reason: string }

type State =
  | { readonly kind: 'resting'; readonly untilMs: number }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'following'; heardMs: number; reportedMs: number }

const NOTHING: readonly FollowerEffect[] = []

export class Follower {
  readonly #rules: FollowerRules
  #state: State = { kind: 'resting', untilMs: Number.NEGATIVE_INFINITY }
  #address: Address | undefined
  #safeOffset: number

  constructor(rules: FollowerRules, safeOffset: number) {
    this.#rules = rules
    this.#safeOffset = safeOffset
  }

  /** Whether there is a connection over which the log comes. */
  get isFollowing(): boolean {
    return this.#state.kind === 'following'
  }

  step(event: FollowerEvent): readonly FollowerEffect[] {
    switch (event.kind) {
      case 'addressed':
        return this.#readdress(event.address, event.atMs)
      case 'connected':
        this.#state = { kind: 'following', heardMs: event.atMs, reportedMs: event.atMs }
        return [{ kind: 'report', offset: this.#safeOffset }]
      case 'closed':
        this.#rest(event.atMs)
        return NOTHING
      case 'framed':
        return this.#frame(event)
      case 'refused':
        return this.#close(event.reason, event.atMs)
      case 'safe':
        return this.#report(event.to, event.atMs)
      case 'ticked':
        return this.#tick(event.atMs)
    }
  }

  #readdress(address: Address | undefined, atMs: number): readonly FollowerEffect[] {
    const isSame = address?.host === this.#address?.host && address?.port === this.#address?.port
    if (isSame) return NOTHING
    const effects = this.#state.kind === 'resting' ? [] : this.#close('the master has moved', atMs)
    this.#address = address
    this.#state = { kind: 'resting', untilMs: atMs }
    return [...effects, ...this.#tick(atMs)]
  }

  #frame({
    atMs,
    endOffset,
    isEmpty,
    offset,
  }: Extract<FollowerEvent, { kind: 'framed' }>): readonly FollowerEffect[] {
    if (this.#state.kind !== 'following') {
      return this.#close('the master sends before it was told where this slave is', atMs)
    }
    this.#state.heardMs = atMs
    if (offset === endOffset || isEmpty) return NOTHING
    const sentence = `the master sends what is at ${offset}, but the log of this slave ends at ${endOffset}`
    return this.#close(sentence, atMs)
  }

  #report(to: number, atMs: number): readonly FollowerEffect[] {
    this.#safeOffset = to
    if (this.#state.kind !== 'following') return NOTHING
    this.#state.reportedMs = atMs
    return [{ kind: 'report', offset: to }]
  }

  #tick(atMs: number): readonly FollowerEffect[] {
    const state = this.#state
    switch (state.kind) {
      case 'resting':
        if (this.#address === undefined || atMs < state.untilMs) return NOTHING
        this.#state = { kind: 'connecting' }
        return [{ kind: 'connect', address: this.#address }]
      case 'connecting':
        return NOTHING
      case 'following': {
        const { heartbeatMs, silenceMs } = this.#rules
        if (atMs - state.heardMs > silenceMs) {
          return this.#close(`the master was silent for ${silenceMs} ms`, atMs)
        }
        if (atMs - state.reportedMs < heartbeatMs) return NOTHING
        state.reportedMs = atMs
        return [{ kind: 'report', offset: this.#safeOffset }]
      }
    }
  }

  #close(reason: string, atMs: number): FollowerEffect[] {
    this.#rest(atMs)
    return [{ kind: 'close', reason }]
  }

  #rest(atMs: number): void {
    this.#state = { kind: 'resting', untilMs: atMs + this.#rules.retryMs }
  }
}
