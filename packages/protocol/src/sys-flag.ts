/**
 * Bits of a message's system flag. Source: Apache classes MessageSysFlag, CompressionType;
 * `store-format.md` section 4.
 */
export const sysFlag = {
  compressed: 0x1,
  multiTags: 0x2,
  transactionPrepared: 0x4,
  transactionCommit: 0x8,
  transactionRollback: 0xc,
  bornHostV6: 0x10,
  storeHostV6: 0x20,
  needUnwrap: 0x40,
  innerBatch: 0x80,
} as const

const TRANSACTION_MASK = 0xc
const COMPRESSION_SHIFT = 8
const COMPRESSION_MASK = 0x7

/** Ways of compressing a body. */
export type Codec = 'zlib' | 'lz4' | 'zstd'

export type Compression = 'none' | Codec

/** `sysFlag` of a compressed body; zlib is said in both the old and the new way. */
export const compressedFlags: Readonly<Record<Codec, number>> = {
  lz4: sysFlag.compressed | (1 << COMPRESSION_SHIFT),
  zstd: sysFlag.compressed | (2 << COMPRESSION_SHIFT),
  zlib: sysFlag.compressed | (3 << COMPRESSION_SHIFT),
}

/** How the body is compressed; a compressed one without a kind is zlib, as 4.x clients write it. */
export function compressionOf(flags: number): Compression {
  if ((flags & sysFlag.compressed) === 0) return 'none'
  const kind = (flags >>> COMPRESSION_SHIFT) & COMPRESSION_MASK
  if (kind === 1) return 'lz4'
  return kind === 2 ? 'zstd' : 'zlib'
}

/** The flags with other bits of the transaction: those of a commit, or none. */
export function withTransaction(flags: number, bits: number): number {
  return (flags & ~TRANSACTION_MASK) | bits
}

/** Whether the flags are those of a message that a transaction committed. */
export function isCommitted(flags: number): boolean {
  return (flags & TRANSACTION_MASK) === sysFlag.transactionCommit
}

/** Half messages and rolled back ones have no place in a queue. */
export function isQueued(flags: number): boolean {
  const transaction = flags & TRANSACTION_MASK
  return transaction === 0 || transaction === sysFlag.transactionCommit
}
