/**
 * ZSTD, where Node.js has it: from 22.15 and 23.8 on. Source: the module node:zlib. Pure.
 */
import zlib from 'node:zlib'

/** Source: ZSTD_c_compressionLevel of the ZSTD library. */
const LEVEL_PARAMETER = 100

interface ZstdOptions {
  readonly maxOutputLength?: number
  readonly params?: Readonly<Record<number, number>>
}

type ZstdFunction = (bytes: Buffer, options: ZstdOptions) => Buffer

// The types are those of the oldest Node.js that is served, which has no ZSTD.
const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as {
  readonly zstdCompressSync?: ZstdFunction
  readonly zstdDecompressSync?: ZstdFunction
}

export const hasZstd = zstdCompressSync !== undefined

/** Throws `RangeError` where there is no ZSTD. */
export function compressZstd(bytes: Buffer, level: number): Buffer {
  if (zstdCompressSync === undefined) throw noZstd()
  return zstdCompressSync(bytes, { params: { [LEVEL_PARAMETER]: level } })
}

/** Throws `RangeError` where there is no ZSTD, and what Node.js throws at a broken or a longer body. */
export function decompressZstd(bytes: Buffer, maxBytes: number): Buffer {
  if (zstdDecompressSync === undefined) throw noZstd()
  return zstdDecompressSync(bytes, { maxOutputLength: maxBytes })
}

function noZstd(): RangeError {
  return new RangeError('this Node.js has no ZSTD: run on Node.js 22.15 or later')
}
