/**
 * The slave's side of replication, as a machine: what happens goes in, what is to be done comes out.
 * It never sees a stream, a file or a clock. Owns where the slave is in the life of a connection.
 *
 *   resting → connecting → greeting → comparing → following → (the connection ends) → resting → …
 *                             └── no welcome: a master of Apache ──┘
 *
 * A master of ours is asked whether the slave's log is the beginning of its own. If it is not, the
 * slave must not go on: what it has behind the common beginning is to be cut off, if that is little,
 * or a person has to look at it. Apache compares nothing.
 * Source: Apache class DefaultHAClient; `replication.md` section 4.
 */
import type { Address } from '@rockhopper/host'
import { EqualPrefix, type Stretch } from './equal-prefix.ts'
import { COMPARED_BYTES } from './limits.ts'

export interface FollowerRules {
  readonly segmentBytes: number
  /** The master hears something at least so often, in ms. */
  readonly heartbeatMs: number
  /** A master that was silent for so long is given up, in ms. */
  readonly silenceMs: number
  /** How long the welcome of a master is waited for, in ms. */
  readonly welcomeMs: number
  /** Pause before the next connection when one failed, in ms. */
  readonly retryMs: number
  /** The same when the master has another log. */
  readonly refusedRetryMs: number
  /** Whether only a master is followed that lets itself be asked: one of ours. */
  readonly needsWelcome: boolean
  /** So much may be cut off where the master's log goes on differently, in bytes. */
  readonly maxCutBytes: number
}

/** The slave's own log. */
export interface FollowerEnds {
  readonly isEmpty: boolean
  readonly minOffset: number
  /** With what came in part. */
  readonly endOffset: number
}

/** All times are monotonic, in ms. */
export type FollowerEvent =
  /** Where the master is; undefined when nobody knows. */
  | { readonly kind: 'addressed'; readonly address: Address | undefined; readonly atMs: number }
  | { readonly kind: 'connected'; readonly atMs: number }
  /** A connection could not be made, or has ended. */
  | { readonly kind: 'closed'; readonly atMs: number }
  | {
      readonly kind: 'welcomed'
      readonly minOffset: number
      readonly endOffset: number
      readonly segmentBytes: number
      readonly own: FollowerEnds
      /** Behind the first of the slave's records that the master may have, too. */
      readonly firstEndOffset: number
      readonly atMs: number
    }
  /** The outcome of `compare`. */
  | { readonly kind: 'compared'; readonly isEqual: boolean; readonly atMs: number }
  /** A frame begins. */
  | {
      readonly kind: 'framed'
      readonly offset: number
      readonly own: FollowerEnds
      readonly atMs: number
    }
  /** Something cannot go on: bytes that do not belong there, or a disk that refuses them. */
  | { readonly kind: 'refused'; readonly reason: string; readonly atMs: number }
  /** The slave's log is as safe as the slave promises up to here. */
  | { readonly kind: 'safe'; readonly to: number; readonly atMs: number }
  | { readonly kind: 'ticked'; readonly atMs: number }

export type FollowerEffect =
  /** `connected` or `closed` is to follow. */
  | { readonly kind: 'connect'; readonly address: Address }
  | { readonly kind: 'greet' }
  /** `compared` is to follow. */
  | ({ readonly kind: 'compare' } & Stretch)
  | { readonly kind: 'begin'; readonly offset: number }
  | { readonly kind: 'report'; readonly offset: number }
  /** Ends the connection, or gives up making it; `closed` is not to follow. */
  | { readonly kind: 'close'; readonly reason: string }
  /** The slave's log is to end at `to` or before; the machine is done. */
  | { readonly kind: 'cut'; readonly to: number; readonly endOffset: number }

type State =
  | { readonly kind: 'resting'; readonly untilMs: number }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'greeting'; readonly untilMs: number }
  | {
      readonly kind: 'comparing'
      readonly prefix: EqualPrefix
      readonly firstEndOffset: number
      readonly ownEndOffset: number
      readonly masterEndOffset: number
      heardMs: number
    }
  | { readonly kind: 'following'; heardMs: number; reportedMs: number }
  | { readonly kind: 'done' }

type Effects = readonly FollowerEffect[]

const NOTHING: Effects = []

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

  step(event: FollowerEvent): Effects {
    if (this.#state.kind === 'done') return NOTHING
    switch (event.kind) {
      case 'addressed':
        return this.#readdress(event.address, event.atMs)
      case 'connected':
        this.#state = { kind: 'greeting', untilMs: event.atMs + this.#rules.welcomeMs }
        return [{ kind: 'greet' }]
      case 'closed':
        this.#rest(event.atMs, this.#rules.retryMs)
        return NOTHING
      case 'welcomed':
        return this.#compare(event)
      case 'compared':
        return this.#compareOn(event.isEqual, event.atMs)
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

  #readdress(address: Address | undefined, atMs: number): Effects {
    const isSame = address?.host === this.#address?.host && address?.port === this.#address?.port
    if (isSame) return NOTHING
    const effects = this.#state.kind === 'resting' ? [] : this.#close('the master has moved', atMs)
    this.#address = address
    this.#state = { kind: 'resting', untilMs: atMs }
    return [...effects, ...this.#tick(atMs)]
  }

  #compare({
    atMs,
    endOffset,
    firstEndOffset,
    minOffset,
    own,
    segmentBytes,
  }: Extract<FollowerEvent, { kind: 'welcomed' }>): Effects {
    if (this.#state.kind !== 'greeting') {
      return this.#close('the master welcomes a slave that did not greet', atMs)
    }
    if (segmentBytes !== this.#rules.segmentBytes) {
      return this.#refuse(
        `the files of the master's log have ${segmentBytes} bytes, those of this slave ` +
          `${this.#rules.segmentBytes}: mappedFileSizeCommitLog must be the same on both`,
        atMs,
      )
    }
    if (own.isEmpty) {
      this.#state = { kind: 'following', heardMs: atMs, reportedMs: atMs }
      return [{ kind: 'begin', offset: minOffset }]
    }
    const from = Math.max(minOffset, own.minOffset)
    const prefix = new EqualPrefix(from, Math.min(endOffset, own.endOffset), COMPARED_BYTES)
    const ends = { firstEndOffset, ownEndOffset: own.endOffset, masterEndOffset: endOffset }
    this.#state = { kind: 'comparing', prefix, ...ends, heardMs: atMs }
    return this.#ask(atMs)
  }

  #compareOn(isEqual: boolean, atMs: number): Effects {
    if (this.#state.kind !== 'comparing') return NOTHING
    this.#state.heardMs = atMs
    this.#state.prefix.answer(isEqual)
    return this.#ask(atMs)
  }

  #ask(atMs: number): Effects {
    if (this.#state.kind !== 'comparing') return NOTHING
    const { firstEndOffset, masterEndOffset, ownEndOffset, prefix } = this.#state
    const { question } = prefix
    if (question !== undefined) return [{ kind: 'compare', ...question }]
    // Any two logs begin with some equal bytes: only a whole record shows that they are of one kind.
    const isCommon = (prefix.endOffset ?? 0) >= firstEndOffset
    const commonEnd = isCommon ? prefix.endOffset : undefined
    if (commonEnd === ownEndOffset) return this.#follow(atMs)
    const { maxCutBytes } = this.#rules
    if (commonEnd !== undefined && ownEndOffset - commonEnd <= maxCutBytes) {
      this.#state = { kind: 'done' }
      return [{ kind: 'cut', to: commonEnd, endOffset: ownEndOffset }]
    }
    const common =
      commonEnd === undefined ? 'have nothing in common' : `are the same only up to ${commonEnd}`
    return this.#refuse(
      `the logs of the master, which ends at ${masterEndOffset}, and of this slave, which ends at ` +
        `${ownEndOffset}, ${common}. Nothing was changed, and this slave still serves what it has. ` +
        'If the master is right, stop the slave, move its store away and start it with an empty one; ' +
        'if the master has lost messages, make the slave the master',
      atMs,
    )
  }

  #follow(atMs: number): Effects {
    this.#state = { kind: 'following', heardMs: atMs, reportedMs: atMs }
    return [{ kind: 'report', offset: this.#safeOffset }]
  }

  #frame({ atMs, offset, own }: Extract<FollowerEvent, { kind: 'framed' }>): Effects {
    if (this.#state.kind !== 'following') {
      return this.#close('the master sends before it was told where this slave is', atMs)
    }
    this.#state.heardMs = atMs
    if (offset === own.endOffset || own.isEmpty) return NOTHING
    const ends = `but the log of this slave ends at ${own.endOffset}`
    return this.#close(`the master sends what is at ${offset}, ${ends}`, atMs)
  }

  #report(to: number, atMs: number): Effects {
    this.#safeOffset = to
    if (this.#state.kind !== 'following') return NOTHING
    this.#state.reportedMs = atMs
    return [{ kind: 'report', offset: to }]
  }

  #tick(atMs: number): Effects {
    const state = this.#state
    switch (state.kind) {
      case 'resting':
        if (this.#address === undefined || atMs < state.untilMs) return NOTHING
        this.#state = { kind: 'connecting' }
        return [{ kind: 'connect', address: this.#address }]
      case 'greeting':
        if (atMs < state.untilMs) return NOTHING
        if (this.#rules.needsWelcome) return this.#close('it does not answer', atMs)
        // A master of Apache: it is told where the slave is, and takes the word of it.
        return this.#follow(atMs)
      case 'comparing':
        return this.#isSilent(state.heardMs, atMs) ? this.#giveUp(atMs) : NOTHING
      case 'following':
        if (this.#isSilent(state.heardMs, atMs)) return this.#giveUp(atMs)
        if (atMs - state.reportedMs < this.#rules.heartbeatMs) return NOTHING
        state.reportedMs = atMs
        return [{ kind: 'report', offset: this.#safeOffset }]
      case 'connecting':
      case 'done':
        return NOTHING
    }
  }

  #isSilent(heardMs: number, atMs: number): boolean {
    return atMs - heardMs > this.#rules.silenceMs
  }

  #giveUp(atMs: number): Effects {
    const { silenceMs } = this.#rules
    return this.#close(`the master was silent for ${silenceMs} ms (haHousekeepingInterval)`, atMs)
  }

  #close(reason: string, atMs: number): FollowerEffect[] {
    this.#rest(atMs, this.#rules.retryMs)
    return [{ kind: 'close', reason }]
  }

  #refuse(reason: string, atMs: number): Effects {
    this.#rest(atMs, this.#rules.refusedRetryMs)
    return [{ kind: 'close', reason }]
  }

  #rest(atMs: number, pauseMs: number): void {
    this.#state = { kind: 'resting', untilMs: atMs + pauseMs }
  }
}
