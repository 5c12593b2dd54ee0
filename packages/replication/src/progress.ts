/**
 * How far one follower is, as its leader knows. Owns these numbers; the leader decides by them.
 */

export class Progress {
  /** Offset of the next byte to send; undefined before the follower said where it is. */
  nextOffset: number | undefined
  /** The follower has everything before. */
  ackedOffset = 0
  /** Whether bytes are being read and handed over for it. */
  isShipping = false
  /** Whether so much waits to leave that nothing more is added. */
  isFull = false
  /** Bytes that it may still be sent before the next tick. */
  allowedBytes: number
  /** Whether it asked something that is not answered yet. */
  isAsking = false
  lastHeardMs: number
  lastSentMs: number

  constructor(atMs: number, allowedBytes: number) {
    this.allowedBytes = allowedBytes
    this.lastHeardMs = atMs
    this.lastSentMs = atMs
  }

  /** Whether it has said where it is. */
  get isFollowing(): boolean {
    return this.nextOffset !== undefined
  }

  /** How many bytes of the log, which ends at `endOffset`, it is not known to have. */
  lagBytes(endOffset: number): number {
    return endOffset - this.ackedOffset
  }
}
