/**
 * The file that says which timed messages waited at some moment, so that a start need not read the
 * whole log for them. Owns the file `config/timerPending`. It is ours only, and may be missing.
 *
 *   0 magic, version, bytes of topics, checksum while it is 0   four numbers of 32 bits
 *  16 logOffset, queueOffset, count, mark                           four of 64 bits, floating
 *  48 names of topics as JSON, padded to a multiple of 8 bytes
 *     slots, log offsets: 64 bits each, floating; sizes, topics: 32 bits each
 *
 * Numbers are in the order of the machine: a file from another one is not known as such, and ignored.
 */
import { crc32 } from 'node:zlib'
import {
  type Clock,
  type Disk,
  type DiskFile,
  readWholeFile,
  replaceFile,
  writeBytes,
} from '@rockhopper/host'
import type { PendingTimersImage } from '../tables/pending-timers.ts'

const MAGIC = 0x726b_7477
const VERSION = 1
const HEAD_BYTES = 48
const CRC_AT = 12
/** Bytes that are summed up and written in one turn. */
const PART_BYTES = 1024 * 1024

export interface TimerState {
  /** Everything that happened before this place of the log is in the image. */
  readonly logOffset: number
  /** Queue offset of the first timed message that is not in it. */
  readonly queueOffset: number
  /** What Apache's file `timercheck` was left as: a sum of it. */
  readonly mark: number
  readonly image: PendingTimersImage
}

export class TimerFile {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #path: string

  constructor(disk: Disk, clock: Clock, path: string) {
    this.#disk = disk
    this.#clock = clock
    this.#path = path
  }

  /** Undefined when there is none that is whole. Throws `DiskError`. */
  read(): TimerState | undefined {
    const bytes = readWholeFile(this.#disk, this.#path)
    return bytes && stateOf(bytes)
  }

  /** Puts a state in the place of the former one. Rejects with `DiskError`. */
  async write(state: TimerState): Promise<void> {
    const pieces = piecesOf(state)
    this.#disk.makeDirectory(this.#path.slice(0, this.#path.lastIndexOf('/')))
    await replaceFile(this.#disk, this.#path, 'dropped', (file) => this.#writeParts(file, pieces))
  }

  /** The sum is written last. */
  async #writeParts(file: DiskFile, pieces: readonly Buffer[]): Promise<void> {
    let sum = 0
    let position = 0
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += PART_BYTES) {
        const part = piece.subarray(at, at + PART_BYTES)
        sum = crc32(part, sum)
        writeBytes(file, part, position)
        position += part.length
        await new Promise<void>((resolve) => this.#clock.soon(resolve))
      }
    }
    writeBytes(file, Buffer.from(Uint32Array.of(sum).buffer), CRC_AT)
  }
}

/** The file in pieces, its checksum 0. */
function piecesOf({ image, logOffset, mark, queueOffset }: TimerState): Buffer[] {
  const names = Buffer.from(JSON.stringify(image.topics))
  const topics = Buffer.alloc(Math.ceil(names.length / 8) * 8, ' ')
  names.copy(topics)
  const head = [
    Uint32Array.of(MAGIC, VERSION, topics.length, 0),
    Float64Array.of(logOffset, queueOffset, image.wakes.length, mark),
  ]
  const columns = [image.wakes, image.logOffsets, image.sizes, image.topicIds]
  return [...head.map(viewOf), topics, ...columns.map(viewOf)]
}

function stateOf(bytes: Buffer): TimerState | undefined {
  if (bytes.length < HEAD_BYTES) return undefined
  // A copy begins where arrays of 64 bits may begin.
  const { buffer } = new Uint8Array(bytes)
  const [magic, version, topicsBytes = 0, sum] = new Uint32Array(buffer, 0, 4)
  const [logOffset = 0, queueOffset = 0, count = 0, mark = 0] = new Float64Array(buffer, 16, 4)
  const arraysAt = HEAD_BYTES + topicsBytes
  if (magic !== MAGIC || version !== VERSION) return undefined
  if (bytes.length !== arraysAt + 24 * count) return undefined
  bytes.writeUInt32LE(0, CRC_AT)
  if (crc32(bytes) !== sum) return undefined
  const topics = JSON.parse(bytes.toString('utf8', HEAD_BYTES, arraysAt))
  const image = {
    topics,
    wakes: new Float64Array(buffer, arraysAt, count),
    logOffsets: new Float64Array(buffer, arraysAt + 8 * count, count),
    sizes: new Uint32Array(buffer, arraysAt + 16 * count, count),
    topicIds: new Uint32Array(buffer, arraysAt + 20 * count, count),
  }
  return { logOffset, queueOffset, mark, image }
}

function viewOf({ buffer, byteLength, byteOffset }: Float64Array | Uint32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
