/**
 * Heads in msgpack (serialization 77), spoken between processes of this suite only: an array of
 * code, opaque, flag, version, language, remark, the values of the command's fields in table order,
 * and a map of further ext fields. Nil stands for what is absent; readers ignore further elements,
 * so the array, like every field table, may only grow at its end.
 */
import { Packr } from 'msgpackr/pack'
import { Unpackr } from 'msgpackr/unpack'
import type { FieldValue } from './field.ts'
import { FrameError, type Head, serialization } from './head.ts'

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

/**
 * Reads the msgpack head from `start` to `end`. Throws `FrameError` when it is not the array
 * described above.
 */
export function decodeMsgpackHead(bytes: Buffer, start: number, end: number): Head {
  let list: unknown
  try {
    // The reader keeps a view of the whole buffer beside it: one for all heads of a chunk.
    list = unpackr.unpack(bytes, { start, end })
  } catch (error) {
    throw new FrameError('the msgpack head is not msgpack', { cause: error })
  }
  if (!Array.isArray(list)) throw new FrameError('the msgpack head is not an array')
  const [code, opaque, flag, version, language, remark, values, extra] = list as unknown[]
  return {
    code: int(code),
    opaque: int(opaque),
    flag: int(flag),
    version: int(version),
    language: int(language),
    remark: typeof remark === 'string' ? remark : undefined,
    serialization: serialization.msgpack,
    ext: {
      form: 'values',
      values: Array.isArray(values) ? values : [],
      extra: typeof extra === 'object' && extra !== null ? { ...extra } : undefined,
    },
  }
}

export function encodeMsgpackHead(
  head: Omit<Head, 'ext' | 'serialization'>,
  values: readonly (FieldValue | null)[],
  extra: Readonly<Record<string, string>> | undefined,
): Buffer {
  return packr.pack([
    head.code,
    head.opaque,
    head.flag,
    head.version,
    head.language,
    head.remark ?? null,
    values,
    extra ?? null,
  ])
}

function int(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new FrameError('a number of the msgpack head is missing')
  }
  return value
}
