/**
 * The fourth door: chance. Ids, random queues and jitter come from here.
 */
export interface Random {
  /** A whole number from 0 up to, not including, `limit` (1 … 2^31). */
  below(limit: number): number
  /** Fresh random bytes. */
  bytes(count: number): Buffer
}
