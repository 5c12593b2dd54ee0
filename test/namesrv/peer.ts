/** A peer of any version and language: it sends one frame at a time, and waits for the answer. */
import { type Host, parseAddress, type Stream } from '@rockhopper/host'
import {
  type Command,
  type Frame,
  FrameDecoder,
  FrameEncoder,
  flag,
  responseCode,
  serialization,
} from '@rockhopper/protocol'

/** Ordinals of versions that peers send. */
export const V3_0_10 = 36
export const GO_CLIENT = 317
export const V4_9_3 = 399
export const V4_9_4 = 401
export const V5_3_3 = 479

export interface Question {
  readonly fields?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  readonly version?: number
}

export interface PeerAnswer {
  readonly code: number
  readonly remark: string | undefined
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: string
}

export class Peer {
  readonly #stream: Stream
  readonly #encoder = new FrameEncoder()
  readonly #waiting = new Map<number, (frame: Frame) => void>()
  #opaque = 0
  /** Whether the other side has closed the connection. */
  closed = false

  private constructor(stream: Stream) {
    const decoder = new FrameDecoder()
    this.#stream = stream
    stream.attach({
      data: (chunk) =>
        decoder.push(chunk, (frame) => this.#waiting.get(frame.head.opaque)?.(frame)),
      drained() {},
      closed: () => {
        this.closed = true
      },
    })
  }

  static async connect(host: Host, address: string): Promise<Peer> {
    const target = parseAddress(address)
    if (target === undefined) throw new Error(`"${address}" is not an address`)
    return new Peer(await host.network.connect(target, 3_000))
  }

  ask(command: Pick<Command, 'code'>, question: Question = {}): Promise<PeerAnswer> {
    const opaque = ++this.#opaque
    this.#send(command.code, opaque, flag.request, question)
    return new Promise((resolve) => {
      this.#waiting.set(opaque, (frame) => resolve(answerOf(frame)))
    })
  }

  tell(command: Pick<Command, 'code'>, question: Question = {}): void {
    this.#send(command.code, ++this.#opaque, flag.oneway, question)
  }

  close(): void {
    this.#stream.end()
  }

  #send(code: number, opaque: number, kind: number, question: Question): void {
    const { fields, body = Buffer.alloc(0), version = V5_3_3 } = question
    const head = {
      code,
      opaque,
      flag: kind,
      version,
      language: 0,
      remark: undefined,
      serialization: serialization.json,
    }
    this.#encoder.add(head, undefined, undefined, fields, [Buffer.from(body)])
    this.#stream.write(this.#encoder.take())
  }
}

function answerOf({ head, body }: Frame): PeerAnswer {
  const fields = head.ext.form === 'map' ? head.ext.map : {}
  return { code: head.code, remark: head.remark, fields, text: body.toString() }
}

/** The answer without what is of no interest: its fields and its text. */
export function outcome({ code, remark }: PeerAnswer): [number, string | undefined] {
  return [code, remark]
}

export const OK: [number, undefined] = [responseCode.SUCCESS, undefined]
