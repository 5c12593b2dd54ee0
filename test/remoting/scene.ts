/** Two simulated hosts, a server on one and a client on the other: the stage of the remoting tests. */
import type { Host, Stream } from '@rockhopper/host'
import {
  type Frame,
  FrameDecoder,
  FrameEncoder,
  flag,
  type OutgoingHead,
  type Serialization,
} from '@rockhopper/protocol'
import { RemotingClient, RemotingServer, Router } from '@rockhopper/remoting'
import { createWorld, type SimWorld } from '@rockhopper/sim'

export const PORT = 9_000

export interface Scene {
  readonly world: SimWorld
  readonly router: Router
  readonly server: RemotingServer
  readonly client: RemotingClient
  readonly address: string
  /** Chunks that have reached the server. */
  readonly arrivals: () => number
}

export interface SceneOptions {
  readonly idleMs?: number
  /** Called for each write of the server. */
  readonly onWrite?: () => void
}

export async function scene({ idleMs, onWrite }: SceneOptions = {}): Promise<Scene> {
  const world = createWorld(7)
  const serverHost = world.host('server')
  let arrivals = 0
  const doors = watched(serverHost.doors, onWrite ?? (() => {}), () => arrivals++)
  const router = new Router(serverHost.doors.logger)
  const listening = RemotingServer.listen(doors, {
    addresses: [{ host: serverHost.ip, port: PORT }],
    router,
    ...(idleMs === undefined ? {} : { idleMs }),
  })
  const server = await world.clock.settle(listening)
  const client = new RemotingClient(world.host('client').doors)
  const address = `${serverHost.ip}:${PORT}`
  return { world, router, server, client, address, arrivals: () => arrivals }
}

/** The same doors, whose accepted streams tell of each write and each arrival. */
function watched(host: Host, onWrite: () => void, onArrival: () => void): Host {
  const { network } = host
  return {
    ...host,
    network: {
      connect: (address, timeoutMs) => network.connect(address, timeoutMs),
      listen: (address, accept) =>
        network.listen(address, (stream) => accept(watchedStream(stream, onWrite, onArrival))),
    },
  }
}

function watchedStream(stream: Stream, onWrite: () => void, onArrival: () => void): Stream {
  return {
    local: stream.local,
    remote: stream.remote,
    get bufferedBytes() {
      return stream.bufferedBytes
    },
    attach(events) {
      stream.attach({
        data(chunk) {
          onArrival()
          events.data(chunk)
        },
        drained: () => events.drained(),
        closed: (cause) => events.closed(cause),
      })
    },
    write(chunks) {
      onWrite()
      stream.write(chunks)
    },
    pauseReading: (paused) => stream.pauseReading(paused),
    end: () => stream.end(),
    destroy: () => stream.destroy(),
  }
}

/** A peer that writes and reads bytes, as no well-behaved client would. */
export interface RawPeer {
  readonly frames: Frame[]
  readonly chunks: Buffer[]
  readonly isClosed: () => boolean
  send(bytes: Buffer): void
}

export async function rawPeer({ world }: Scene): Promise<RawPeer> {
  const server = world.host('server')
  const connecting = world.host('raw').doors.network.connect({ host: server.ip, port: PORT }, 1_000)
  return attach(await world.clock.settle(connecting))
}

export function attach(stream: Stream): RawPeer {
  const frames: Frame[] = []
  const chunks: Buffer[] = []
  const decoder = new FrameDecoder()
  let closed = false
  stream.attach({
    data(chunk) {
      chunks.push(chunk)
      decoder.push(chunk, (frame) => frames.push(frame))
    },
    drained() {},
    closed() {
      closed = true
    },
  })
  return { frames, chunks, isClosed: () => closed, send: (bytes) => stream.write([bytes]) }
}

/** The bytes of one request without fields. */
export function request(
  serialization: Serialization,
  code: number,
  opaque: number,
  extra: Record<string, string> = {},
  kind: number = flag.request,
): Buffer {
  const head: OutgoingHead = {
    code,
    opaque,
    flag: kind,
    version: 479,
    language: 0,
    remark: undefined,
    serialization,
  }
  const encoder = new FrameEncoder()
  encoder.add(head, undefined, undefined, extra)
  return Buffer.concat(encoder.take())
}
