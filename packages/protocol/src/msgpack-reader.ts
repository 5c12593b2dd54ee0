/**
 * Reads the forms of msgpack that heads are made of, in place. What is rare is left to msgpackr. A
 * reader owns the place where it is, and may be used again for other bytes.
 */
import { Unpackr } from 'msgpackr/unpack'
import { FrameError } from './head.ts'
import { form, MAX_FIXARRAY, MAX_FIXINT } from './msgpack-form.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

/** Of float32 and what follows it. */
const NUMBER_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8]

export class MsgpackReader {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  #end = 0
  /** Bounds of the text or bytes that `read` came upon. */
  from = 0
  to = 0

  open(bytes: Buffer, at: number, end: number): this {
    this.bytes = bytes
    this.at = at
    this.#end = end
    return this
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end
  }

  /** Elements of the array that begins here; undefined, and nothing read, when none does. */
  arrayHead(): number | undefined {
    const type = this.#type()
    if (type >= form.fixarray && type < form.fixstr) {
      this.at += 1
      return type & MAX_FIXARRAY
    }
    if (type !== form.array16 && type !== form.array32) return undefined
    return this.#lengthBehind(type === form.array16 ? 2 : 4)
  }

  /** The number here; undefined, and nothing read, when there is none. */
  number(): number | undefined {
    const type = this.#type()
    if (type <= MAX_FIXINT) {
      this.at += 1
      return type
    }
    if (type >= form.negative) {
      this.at += 1
      return type - 0x100
    }
    if (type < form.float32 || type > form.int64) return undefined
    const at = this.at + 1
    this.#advance(1 + (NUMBER_BYTES[type - form.float32] ?? 0))
    return readNumber(this.bytes, type, at)
  }

  /** Takes the text or bytes here and says which; undefined, and nothing read, when there are none. */
  span(): 'text' | 'bytes' | undefined {
    const type = this.#type()
    if (type >= form.fixstr && type < form.nil) return this.#take('text', 1, type & 0x1f)
    if (type >= form.str8 && type <= form.str32) {
      return this.#take('text', 0, this.#lengthBehind(1 << (type - form.str8)))
    }
    if (type < form.bin8 || type > form.bin32) return undefined
    return this.#take('bytes', 0, this.#lengthBehind(1 << (type - form.bin8)))
  }

  /** The truth value here; undefined, and nothing read, when there is none. */
  boolean(): boolean | undefined {
    const type = this.#type()
    if (type !== form.true && type !== form.false) return undefined
    this.at += 1
    return type === form.true
  }

  /** Whether nil is here, which is then read. */
  nil(): boolean {
    if (this.#type() !== form.nil) return false
    this.at += 1
    return true
  }

  /** Whatever is here. Throws `FrameError` when it is not msgpack. */
  any(): unknown {
    const start = this.at
    this.skip()
    try {
      return unpackr.unpack(this.bytes, { start, end: this.at })
    } catch (error) {
      throw new FrameError('the msgpack head is not msgpack', { cause: error })
    }
  }

  /** Passes over what is here, whatever it is. */
  skip(): void {
    // Elements of arrays and maps are passed over like further values: nothing nests here.
    for (let values = 1; values > 0; values--) values += this.#skipOne()
  }

  /** Passes over one value, and says how many values inside it are still to come. */
  #skipOne(): number {
    if (this.number() !== undefined || this.span() !== undefined) return 0
    const elements = this.arrayHead()
    if (elements !== undefined) return elements
    const type = this.#type()
    if (type === form.map16 || type === form.map32) {
      return 2 * this.#lengthBehind(type === form.map16 ? 2 : 4)
    }
    if (type === form.unused) throw new FrameError('the msgpack head is not msgpack')
    if (type >= form.ext8 && type <= form.ext32) {
      this.#advance(1 + this.#lengthBehind(1 << (type - form.ext8)))
    } else if (type >= form.fixext1 && type <= form.fixext16) {
      this.#advance(2 + (1 << (type - form.fixext1)))
    } else this.#advance(1)
    return type >= form.fixmap && type < form.fixarray ? 2 * (type - form.fixmap) : 0
  }

  #type(): number {
    if (this.at < this.#end) return this.bytes[this.at] ?? 0
    throw endsEarly()
  }

  #take(kind: 'text' | 'bytes', headBytes: number, length: number): 'text' | 'bytes' {
    this.from = this.at + headBytes
    this.#advance(headBytes + length)
    this.to = this.at
    return kind
  }

  /** Reads the type and the length behind it. */
  #lengthBehind(lengthBytes: number): number {
    const at = this.at + 1
    this.#advance(1 + lengthBytes)
    return this.bytes.readUIntBE(at, lengthBytes)
  }

  #advance(count: number): void {
    this.at += count
    if (this.at > this.#end) throw endsEarly()
  }
}

function readNumber(bytes: Buffer, type: number, at: number): number {
  switch (type) {
    case form.float32:
      return bytes.readFloatBE(at)
    case form.float64:
      return bytes.readDoubleBE(at)
    case form.uint8:
      return bytes[at] ?? 0
    case form.uint16:
      return bytes.readUInt16BE(at)
    case form.uint32:
      return bytes.readUInt32BE(at)
    case form.uint64:
      return Number(bytes.readBigUInt64BE(at))
    case form.int8:
      return bytes.readInt8(at)
    case form.int16:
      return bytes.readInt16BE(at)
    case form.int32:
      return bytes.readInt32BE(at)
    default:
      return Number(bytes.readBigInt64BE(at))
  }
}

function endsEarly(): FrameError {
  return new FrameError('the msgpack head ends within a value')
}
