/**
 * Shares of queues by a ring of hashes: when a member comes or goes, only its own queues move.
 * Source: Apache classes AllocateMessageQueueConsistentHash and ConsistentHashRouter; `client.md`
 * section 5.3. Owns the ring of the last members, which are the same for all topics of a group.
 */
import { createHash } from 'node:crypto'
import type { MessageQueue } from '@rockhopper/protocol'
import { badOption } from '../errors.ts'
import type { AllocationStrategy } from './allocate.ts'

/** Places of one member on the ring, where nothing else is said. */
const PLACES = 10

interface Place {
  readonly hash: number
  readonly clientId: string
}

/**
 * Each member has `places` places on the ring (a whole number from 1); a queue belongs to the member
 * whose place comes next. All members must use the same number. Throws `ClientError` BAD_OPTION.
 */
export function allocateByConsistentHash(places = PLACES): AllocationStrategy {
  if (!Number.isSafeInteger(places) || places < 1) {
    throw badOption(`the places on the ring are ${places}`, 'use a whole number from 1')
  }
  let known: readonly string[] = []
  let ring: readonly Place[] = []
  return {
    name: 'CONSISTENT_HASH',
    allocate(_group, clientId, queues, members) {
      if (!members.includes(clientId)) return []
      if (!isSame(known, members)) {
        known = [...members]
        ring = ringOf(members, places)
      }
      return queues.filter((queue) => ownerOf(ring, hashOf(textOf(queue))) === clientId)
    },
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, at) => text === other[at])
}

/** The places in the order of their hashes. Of two on the same spot the later member has it. */
function ringOf(members: readonly string[], places: number): readonly Place[] {
  const byHash = new Map<number, string>()
  for (const clientId of members) {
    for (let i = 0; i < places; i++) byHash.set(hashOf(`${clientId}-${i}`), clientId)
  }
  return [...byHash]
    .map(([hash, clientId]) => ({ hash, clientId }))
    .sort((one, other) => one.hash - other.hash)
}

/** The member of the first place at or behind a hash; behind the last place the ring begins anew. */
function ownerOf(ring: readonly Place[], hash: number): string | undefined {
  let low = 0
  let high = ring.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ring[middle]?.hash ?? 0) < hash) low = middle + 1
    else high = middle
  }
  return (ring[low] ?? ring[0])?.clientId
}

/** The first four bytes of the MD5 sum. */
function hashOf(text: string): number {
  return createHash('md5').update(text, 'utf8').digest().readUInt32BE()
}

/** As Java writes a queue. */
function textOf({ topic, brokerName, queueId }: MessageQueue): string {
  return `MessageQueue [topic=${topic}, brokerName=${brokerName}, queueId=${queueId}]`
}
