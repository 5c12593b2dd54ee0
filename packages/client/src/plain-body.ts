/**
 * The body of a message as its sender gave it, out of what came over the wire. Source: Apache classes
 * MessageDecoder and CompressorFactory; `client.md` section 3.4. Owns nothing.
 */
import { inflateSync } from 'node:zlib'
import { type Compression, compressionOf } from '@rockhopper/protocol'

/** A body that would be longer is left compressed: it could be made to fill the memory. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024

export interface PlainBody {
  readonly body: Buffer
  /** How `body` is still compressed: `none`, except where this library cannot read it. */
  readonly compression: Compression
}

export function plainBody(body: Buffer, sysFlag: number): PlainBody {
  const compression = compressionOf(sysFlag)
  if (compression !== 'zlib') return { body, compression }
  try {
    const inflated = inflateSync(body, { maxOutputLength: MAX_INFLATED_BYTES })
    return { body: inflated, compression: 'none' }
  } catch {
    return { body, compression }
  }
}
