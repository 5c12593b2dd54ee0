/**
 * Shares of queues where brokers and members stand in machine rooms. Source: Apache classes
 * AllocateMessageQueueByMachineRoom and AllocateMachineRoomNearby; `client.md` section 5.3.
 * Pure: it owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import type { AllocationStrategy } from './allocate.ts'

/**
 * Only queues in the given rooms are consumed, shared by all members alike. The room of a queue is
 * what stands before the `@` in the name of its broker; queues of other brokers are nobody's.
 */
export function allocateByMachineRoom(rooms: readonly string[]): AllocationStrategy {
  const wanted = new Set(rooms)
  return {
    name: 'MACHINE_ROOM',
    allocate(_group, clientId, queues, members) {
      const index = members.indexOf(clientId)
      if (index < 0) return []
      const near = queues.filter(({ brokerName }) => {
        const room = roomOf(brokerName)
        return room !== undefined && wanted.has(room)
      })
      const share = Math.floor(near.length / members.length)
      // What is left over goes one each to the first members, behind the runs of all.
      const left = near.slice(share * members.length)
      return [...near.slice(share * index, share * (index + 1)), ...left.slice(index, index + 1)]
    },
  }
}

/** Says in which machine room brokers and members stand. */
export interface MachineRooms {
  readonly ofBroker: (queue: MessageQueue) => string
  readonly ofMember: (clientId: string) => string
}

/**
 * The queues of a room are shared by the members in it, in the way of `inner`; those of a room
 * without members by all members. Throws when a room is empty text.
 */
export function allocateNearby(inner: AllocationStrategy, rooms: MachineRooms): AllocationStrategy {
  return {
    name: `MACHINE_ROOM_NEARBY-${inner.name}`,
    allocate(group, clientId, queues, members) {
      if (!members.includes(clientId)) return []
      const queuesIn = byRoom(queues, rooms.ofBroker)
      const membersIn = byRoom(members, rooms.ofMember)
      const own = rooms.ofMember(clientId)
      const rest = [...queuesIn.keys()].filter((room) => !membersIn.has(room)).sort()
      const share = (room: string, sharers: readonly string[]): readonly MessageQueue[] => {
        const inRoom = queuesIn.get(room)
        return inRoom === undefined ? [] : inner.allocate(group, clientId, inRoom, sharers)
      }
      const near = share(own, membersIn.get(own) ?? [])
      return [...near, ...rest.flatMap((room) => share(room, members))]
    },
  }
}

/** `room@name`; a name with more or fewer parts has no room. Java drops empty parts at the end. */
export function roomOf(brokerName: string): string | undefined {
  const parts = brokerName.replace(/@+$/, '').split('@')
  return parts.length === 2 ? parts[0] : undefined
}

function byRoom<T>(things: readonly T[], roomOfThing: (thing: T) => string): Map<string, T[]> {
  const rooms = new Map<string, T[]>()
  for (const thing of things) {
    const room = roomOfThing(thing)
    if (!room) throw new RangeError(`no machine room is known for ${JSON.stringify(thing)}`)
    const others = rooms.get(room)
    if (others === undefined) rooms.set(room, [thing])
    else others.push(thing)
  }
  return rooms
}
