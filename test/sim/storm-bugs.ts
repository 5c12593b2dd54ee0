/** Bugs that are planted into members of a storm, between them and their doors. */
import type { Host, Stream } from '@rockhopper/host'
import { FrameDecoder, isOneway, UPDATE_CONSUMER_OFFSET } from '@rockhopper/protocol'

/** The bytes before each frame that say how long it is. */
const LENGTH_BYTES = 4

/** Commits that a member waits for, as it does when it gives up a queue, are lost on their way. */
export function losesLastCommits(given: Host, name: string): Host {
  if (!name.startsWith('member-')) return given
  const connect: Host['network']['connect'] = async (address, timeoutMs) => {
    return withoutLastCommits(await given.network.connect(address, timeoutMs))
  }
  const listen: Host['network']['listen'] = (address, accept) =>
    given.network.listen(address, accept)
  return { ...given, network: { connect, listen } }
}

function withoutLastCommits(stream: Stream): Stream {
  let pending = Buffer.alloc(0)
  const write = (chunks: readonly Uint8Array[]): void => {
    pending = Buffer.concat([pending, ...chunks])
    while (pending.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + pending.readUInt32BE(0)
      if (pending.length < end) return
      const frame = pending.subarray(0, end)
      pending = pending.subarray(end)
      if (!isLastCommit(frame)) stream.write([Buffer.from(frame)])
    }
  }
  return new Proxy(stream, {
    get(target, key: string & keyof Stream) {
      const value = key === 'write' ? write : target[key]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function isLastCommit(bytes: Buffer): boolean {
  let found = false
  new FrameDecoder().push(Buffer.from(bytes), ({ head }) => {
    found = head.code === UPDATE_CONSUMER_OFFSET.code && !isOneway(head)
  })
  return found
}
