/**
 * How the brokers of a run replicate, and what an acknowledgement is worth in each way of doing so:
 * the table "what survives what" of `conf/README.md`, as code. Pure.
 */

import type { SimRandom } from '../random.ts'
import type { FlushDiskType } from '../servers.ts'

export type MasterRole = 'ASYNC_MASTER' | 'SYNC_MASTER'

export interface ReplicaMode {
  readonly role: MasterRole
  readonly masterFlush: FlushDiskType
  readonly slaveFlush: FlushDiskType
  readonly slavesPerMaster: number
  /** Brokers that a synchronous master counts, itself among them. */
  readonly inSyncReplicas: number
}

/** How a machine loses what it has: what its device does not have yet, or all of it. */
export type LossKind = 'power' | 'disk'

/** A machine that lost something. */
export interface Loss {
  readonly brokerName: string
  /** 0 is the master. */
  readonly brokerId: number
  readonly kind: LossKind
  readonly atMs: number
}

const ALONE_CHANCE = 0.3

export function drawMode(random: SimRandom): ReplicaMode {
  const flush = (): FlushDiskType => (random.chance(0.5) ? 'SYNC_FLUSH' : 'ASYNC_FLUSH')
  const role = random.chance(0.6) ? 'SYNC_MASTER' : 'ASYNC_MASTER'
  const slavesPerMaster = 1 + random.below(2)
  const inSyncReplicas = 1 + random.below(slavesPerMaster + 1)
  return { role, masterFlush: flush(), slaveFlush: flush(), slavesPerMaster, inSyncReplicas }
}

/** The same without slaves, now and then, where nothing waits for them. */
export function drawAlone(random: SimRandom, mode: ReplicaMode): ReplicaMode {
  const isAlone = mode.role === 'ASYNC_MASTER' && random.chance(ALONE_CHANCE)
  return isAlone ? { ...mode, slavesPerMaster: 0 } : mode
}

/** How many slaves have a message that was acknowledged. */
function slavesWaitedFor({ inSyncReplicas, role }: ReplicaMode): number {
  return role === 'SYNC_MASTER' ? Math.max(1, inSyncReplicas - 1) : 0
}

/** Whether a machine lacks afterwards what it had said to have. */
export function isForgetful(mode: ReplicaMode, { brokerId, kind }: Loss): boolean {
  const flush = brokerId === 0 ? mode.masterFlush : mode.slaveFlush
  return kind === 'disk' || flush === 'ASYNC_FLUSH'
}

/**
 * Whether these losses, all of them after the acknowledgement and of one master and its slaves, may
 * have taken a message: the master lost it, and so many slaves did that all which had it may be among
 * them.
 */
export function mayBeLost(mode: ReplicaMode, losses: readonly Loss[]): boolean {
  const forgetful = losses.filter((loss) => isForgetful(mode, loss))
  const machines = new Set(forgetful.map(({ brokerId }) => brokerId))
  return machines.delete(0) && machines.size >= slavesWaitedFor(mode)
}

/** A sentence for the story. */
export function sentenceOfMode(mode: ReplicaMode): string {
  const { inSyncReplicas, masterFlush, role, slaveFlush, slavesPerMaster } = mode
  const counted = role === 'SYNC_MASTER' ? `, inSyncReplicas ${inSyncReplicas}` : ''
  if (slavesPerMaster === 0) return `${role} with ${masterFlush}, no slaves`
  const slaves = slavesPerMaster === 1 ? 'one slave' : `${slavesPerMaster} slaves`
  return `${role} with ${masterFlush}, ${slaves} with ${slaveFlush}${counted}`
}
