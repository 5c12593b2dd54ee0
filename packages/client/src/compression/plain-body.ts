/**
 * Bodies of messages as they travel, and as applications see them. Source: Apache classes
 * CompressorFactory, ZlibCompressor, Lz4Compressor, ZstdCompressor and MessageDecoder; `client.md`
 * section 3.4. Owns nothing.
 */
import { deflateSync, inflateSync } from 'node:zlib'
import { type Codec, type Compression, compressionOf } from '@rockhopper/protocol'
import { compressFrame, decompressFrames } from './lz4-frame.ts'
import { compressZstd, decompressZstd } from './zstd.ts'

/** A body that would be longer is left compressed: it could be made to fill the memory. */
const MAX_BODY_BYTES = 64 * 1024 * 1024

export interface PlainBody {
  readonly body: Buffer
  /** How `body` is still compressed: `none`, except where this library cannot read it. */
  readonly compression: Compression
  /** Why it is still compressed, as a sentence; undefined when it is not. */
  readonly bodyProblem: string | undefined
}

/** The body that a message holds, out of the one that was sent. */
export function plainBody(body: Buffer, sysFlag: number): PlainBody {
  const compression = compressionOf(sysFlag)
  if (compression === 'none') return { body, compression, bodyProblem: undefined }
  try {
    const whole = decompress(compression, body)
    return { body: whole, compression: 'none', bodyProblem: undefined }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const bodyProblem = `the body is compressed with ${compression} and cannot be read: ${why}`
    return { body, compression, bodyProblem }
  }
}

/** `level` is for zlib and zstd. */
export function compress(codec: Codec, body: Buffer, level: number): Buffer {
  switch (codec) {
    case 'zlib':
      return deflateSync(body, { level })
    case 'lz4':
      return compressFrame(body)
    case 'zstd':
      return compressZstd(body, level)
  }
}

function decompress(codec: Codec, body: Buffer): Buffer {
  switch (codec) {
    case 'zlib':
      return inflateSync(body, { maxOutputLength: MAX_BODY_BYTES })
    case 'lz4':
      return decompressFrames(body, MAX_BODY_BYTES)
    case 'zstd':
      return decompressZstd(body, MAX_BODY_BYTES)
  }
}
