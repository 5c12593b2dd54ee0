/**
 * ZSTD: Node.js has it from 22.15 and 23.8 on. Below that it is read by a library, and not written:
 * there is none in plain JavaScript that makes anything smaller. Source: the module node:zlib. Pure.
 */
import zlib from 'node:zlib'
import { decompressFrames } from './zstd-frames.ts'

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

/** Whether bodies can be made smaller with it here; they can be read everywhere. */
export const canWriteZstd = zstdCompressSync !== undefined

/** Throws `RangeError` where it cannot be written. */
export function compressZstd(bytes: Buffer, level: number): Buffer {
  if (zstdCompressSync === undefined) {
    throw new RangeError('this Node.js writes no ZSTD: run on Node.js 22.15 or later')
  }
  return zstdCompressSync(bytes, { params: { [LEVEL_PARAMETER]: level } })
}

/** Throws at a broken body, and at a longer one. */
export function decompressZstd(bytes: Buffer, maxBytes: number): Buffer {
  if (zstdDecompressSync === undefined) return decompressFrames(bytes, maxBytes)
  return zstdDecompressSync(bytes, { maxOutputLength: maxBytes })
}
