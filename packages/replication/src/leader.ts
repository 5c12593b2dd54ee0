/**
 * The master's side of replication, as a machine: what happens goes in, what is to be done comes
 * out. It never sees a stream, a file or a clock. Owns the progress of each follower.
 *
 *   a follower reports its end → ship it what it lacks, a stretch at a time → it reports again
 *
 * Source: Apache classes DefaultHAService, DefaultHAConnection; `replication.md` section 3.
 */
import assert from 'node:assert/strict'
import { COMPARED_BYTES } from './limits.ts'
import { Progress } from './progress.ts'

/** Names a connection of a follower, for its lifetime. */
export type PeerId = number

export interface LeaderRules {
  readonly segmentBytes: number
  /** Bytes that are read and handed over for a follower at a time. */
  readonly stretchBytes: number
  /** A follower hears something at least so often, in ms. */
  readonly heartbeatMs: number
  /** One that was silent for so long is given up, in ms. */
  readonly silenceMs: number
  /** One that lacks more bytes does not count as one that could have a message soon. */
  readonly maxLagBytes: number
  /** Bytes that a follower is sent per second at the most; infinite for no limit. */
  readonly maxBytesPerSecond: number
  /** How often `ticked` comes. */
  readonly tickMs: number
  /** How many followers have to have what counts as replicated, 1 or more. */
  readonly enough: number
}

/** All times are monotonic, in ms. */
export type LeaderEvent =
  | { readonly kind: 'opened'; readonly peer: PeerId; readonly atMs: number }
  | {
      readonly kind: 'reported'
      readonly peer: PeerId
      readonly offset: number
      readonly atMs: number
    }
  /** A follower of ours that may ask. */
  | { readonly kind: 'greeted'; readonly peer: PeerId; readonly atMs: number }
  | {
      readonly kind: 'asked'
      readonly peer: PeerId
      readonly from: number
      readonly to: number
      readonly atMs: number
    }
  /** What was asked is answered. */
  | { readonly kind: 'answered'; readonly peer: PeerId }
  /** A follower has no log, and wants it from here on. */
  | {
      readonly kind: 'begun'
      readonly peer: PeerId
      readonly offset: number
      readonly atMs: number
    }
  /** The log has these bytes. */
  | { readonly kind: 'grown'; readonly minOffset: number; readonly endOffset: number }
  /** A stretch was handed over up to `to`; `isFull`: there is no room for more at the moment. */
  | {
      readonly kind: 'shipped'
      readonly peer: PeerId
      readonly to: number
      readonly isFull: boolean
      readonly atMs: number
    }
  /** There is room again. */
  | { readonly kind: 'drained'; readonly peer: PeerId }
  | { readonly kind: 'ticked'; readonly atMs: number }
  | { readonly kind: 'closed'; readonly peer: PeerId }

export type LeaderEffect =
  /** Bytes of one segment. `shipped` is to follow. */
  | {
      readonly kind: 'ship'
      readonly peer: PeerId
      readonly from: number
      readonly to: number
    }
  | { readonly kind: 'heartbeat'; readonly peer: PeerId; readonly offset: number }
  | {
      readonly kind: 'welcome'
      readonly peer: PeerId
      readonly minOffset: number
      readonly endOffset: number
    }
  /** Answers with the sum of these bytes, or that they are not there. `answered` is to follow. */
  | {
      readonly kind: 'sum'
      readonly peer: PeerId
      readonly from: number
      readonly to: number
      readonly isThere: boolean
    }
  /** `closed` is not to follow. */
  | { readonly kind: 'close'; readonly peer: PeerId; readonly reason: string }
  /** Enough followers have everything before. */
  | { readonly kind: 'replicated'; readonly to: number }

/** What is of one follower. */
type FollowerEvent = Exclude<LeaderEvent, { kind: 'opened' | 'closed' | 'grown' | 'ticked' }>

export class Leader {
  readonly #rules: LeaderRules
  readonly #peers = new Map<PeerId, Progress>()
  #minOffset: number
  #endOffset: number
  #replicatedOffset = 0
  #effects: LeaderEffect[] = []

  constructor(rules: LeaderRules, minOffset: number, endOffset: number) {
    this.#rules = rules
    this.#minOffset = minOffset
    this.#endOffset = endOffset
  }

  /** What is known of each follower. */
  get followers(): ReadonlyMap<PeerId, Progress> {
    return this.#peers
  }

  /** How many followers could have a message that is stored now soon. */
  get followersNear(): number {
    let count = 0
    for (const peer of this.#peers.values()) if (this.isNear(peer)) count += 1
    return count
  }

  /** Whether a follower lacks so little that it counts. */
  isNear(peer: Progress): boolean {
    return peer.isFollowing && peer.lagBytes(this.#endOffset) < this.#rules.maxLagBytes
  }

  step(event: LeaderEvent): readonly LeaderEffect[] {
    this.#effects = []
    this.#take(event)
    return this.#effects
  }

  #take(event: LeaderEvent): void {
    switch (event.kind) {
      case 'opened':
        assert(!this.#peers.has(event.peer), `peer ${event.peer} is there already`)
        this.#peers.set(event.peer, new Progress(event.atMs, this.#bytesPerTick))
        return
      case 'closed':
        this.#peers.delete(event.peer)
        return
      case 'grown':
        return this.#grow(event.minOffset, event.endOffset)
      case 'ticked':
        return this.#tick(event.atMs)
      default: {
        // What was under way when it was closed may still come.
        const progress = this.#peers.get(event.peer)
        if (progress !== undefined) this.#takeOf(event, progress)
      }
    }
  }

  #takeOf(event: FollowerEvent, progress: Progress): void {
    const { peer } = event
    if ('atMs' in event && event.kind !== 'shipped') progress.lastHeardMs = event.atMs
    switch (event.kind) {
      case 'greeted':
        return this.#welcome(peer, progress)
      case 'asked':
        return this.#answer(peer, progress, event.from, event.to)
      case 'answered':
        progress.isAsking = false
        return
      case 'begun':
        return this.#beginEmpty(peer, progress, event.offset)
      case 'reported':
        if (progress.nextOffset === undefined) this.#begin(peer, progress, event.offset)
        else this.#acknowledge(peer, progress, progress.nextOffset, event.offset)
        return
      case 'shipped':
        progress.isShipping = false
        progress.isFull = event.isFull
        progress.nextOffset = event.to
        progress.lastSentMs = event.atMs
        return this.#ship(peer, progress)
      case 'drained':
        progress.isFull = false
        return this.#ship(peer, progress)
    }
  }

  #welcome(peer: PeerId, progress: Progress): void {
    if (progress.isFollowing) return this.#close(peer, 'it greets after it has reported')
    this.#effects.push({
      kind: 'welcome',
      peer,
      minOffset: this.#minOffset,
      endOffset: this.#endOffset,
    })
  }

  /** One question at a time, and not too long a stretch: it costs the master a reading of it. */
  #answer(peer: PeerId, progress: Progress, from: number, to: number): void {
    const isFair = !progress.isAsking && to - from <= COMPARED_BYTES
    if (!isFair)
      return this.#close(peer, `it asks for the sum of ${to - from} bytes, or of too many`)
    progress.isAsking = true
    const isThere = from >= this.#minOffset && from <= to && to <= this.#endOffset
    this.#effects.push({ kind: 'sum', peer, from, to, isThere })
  }

  #beginEmpty(peer: PeerId, progress: Progress, offset: number): void {
    const { segmentBytes } = this.#rules
    const isThere = offset >= this.#minOffset && offset <= this.#endOffset
    if (progress.isFollowing || !isThere || offset % segmentBytes !== 0) {
      return this.#close(peer, `its log cannot begin at ${offset}`)
    }
    progress.nextOffset = offset
    progress.ackedOffset = offset
    this.#ship(peer, progress)
  }

  get #bytesPerTick(): number {
    return (this.#rules.maxBytesPerSecond * this.#rules.tickMs) / 1_000
  }

  #grow(minOffset: number, endOffset: number): void {
    this.#minOffset = minOffset
    this.#endOffset = endOffset
    for (const [peer, progress] of this.#peers) this.#ship(peer, progress)
  }

  /** A follower without a log begins with the last segment, as Apache's does. */
  #begin(peer: PeerId, progress: Progress, offset: number): void {
    const end = this.#endOffset
    if (offset < 0 || offset > end) {
      return this.#close(
        peer,
        `its log goes up to ${offset}, but that of its master ends at ${end}: it has what the master ` +
          'lost or never had. Look which of them is right; a slave with an empty store copies its master',
      )
    }
    const start = offset === 0 ? end - (end % this.#rules.segmentBytes) : offset
    if (start < this.#minOffset) {
      return this.#close(
        peer,
        `its log ends at ${offset}, but its master has nothing before ${this.#minOffset} any more: ` +
          'empty its store, and it copies what there is',
      )
    }
    progress.nextOffset = Math.max(start, this.#minOffset)
    progress.ackedOffset = offset
    this.#count()
    this.#ship(peer, progress)
  }

  #acknowledge(peer: PeerId, progress: Progress, sentOffset: number, offset: number): void {
    if (offset > sentOffset) {
      const sent = `it reports to have ${offset}, but was sent only what is before ${sentOffset}`
      return this.#close(peer, sent)
    }
    if (offset <= progress.ackedOffset) return
    progress.ackedOffset = offset
    this.#count()
  }

  #count(): void {
    const { enough } = this.#rules
    const acked: number[] = []
    for (const progress of this.#peers.values()) {
      if (progress.isFollowing) acked.push(progress.ackedOffset)
    }
    if (acked.length < enough) return
    const to = acked.length === 1 ? acked[0] : acked.sort((a, b) => b - a)[enough - 1]
    if (to === undefined || to <= this.#replicatedOffset) return
    this.#replicatedOffset = to
    this.#effects.push({ kind: 'replicated', to })
  }

  #ship(peer: PeerId, progress: Progress): void {
    const from = progress.nextOffset
    if (from === undefined || progress.isShipping || progress.isFull) return
    if (from >= this.#endOffset || progress.allowedBytes <= 0) return
    if (from < this.#minOffset) {
      const reason =
        `it is so slow that its master has removed what it lacks: it goes on at ${from}, and the ` +
        `master's log begins at ${this.#minOffset}`
      return this.#close(peer, reason)
    }
    const { segmentBytes, stretchBytes } = this.#rules
    const segmentEnd = from - (from % segmentBytes) + segmentBytes
    progress.isShipping = true
    const to = Math.min(this.#endOffset, segmentEnd, from + stretchBytes)
    progress.allowedBytes -= to - from
    this.#effects.push({ kind: 'ship', peer, from, to })
  }

  #tick(atMs: number): void {
    const { silenceMs } = this.#rules
    for (const [peer, progress] of [...this.#peers]) {
      if (atMs - progress.lastHeardMs > silenceMs) {
        this.#close(peer, `it was silent for ${silenceMs} ms (haHousekeepingInterval)`)
      } else if (progress.nextOffset !== undefined && this.#isHeartbeatDue(progress, atMs)) {
        progress.lastSentMs = atMs
        this.#effects.push({ kind: 'heartbeat', peer, offset: progress.nextOffset })
      }
      this.#allow(peer, progress)
    }
  }

  /** What was sent too much of counts as sent in the time to come. */
  #allow(peer: PeerId, progress: Progress): void {
    const perTick = this.#bytesPerTick
    const wasHeldBack = progress.allowedBytes <= 0
    progress.allowedBytes = Math.min(perTick, progress.allowedBytes + perTick)
    if (wasHeldBack && this.#peers.has(peer)) this.#ship(peer, progress)
  }

  /** What waits to leave tells the follower as much. */
  #isHeartbeatDue({ isFull, isShipping, lastSentMs }: Progress, atMs: number): boolean {
    return !isShipping && !isFull && atMs - lastSentMs >= this.#rules.heartbeatMs
  }

  #close(peer: PeerId, reason: string): void {
    this.#peers.delete(peer)
    this.#effects.push({ kind: 'close', peer, reason })
  }
}
