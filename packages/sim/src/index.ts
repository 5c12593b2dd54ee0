/**
 * A whole cluster in one process under virtual time, from one seed: simulated doors and the world
 * that holds them.
 */
export { SimClock } from './clock.ts'
export type { DelayRange } from './delay.ts'
export type { NameFate } from './directory.ts'
export type { CrashOptions, SimDiskOptions } from './disk.ts'
export { SimDisk } from './disk.ts'
export type { DiskFault, DiskOperation, DiskWatcher, MetFault } from './disk-faults.ts'
export type { FabricOptions, SimFabric } from './fabric.ts'
export type { SimHost, SimHostOptions } from './host.ts'
export type { Fate } from './inode.ts'
export type { LogLevel, LogLine } from './process.ts'
export { SimRandom } from './random.ts'
export { judgeReplicas, type ReplicaEvidence } from './replicas/replica-checker.ts'
export { ReplicaHistory, type ReplicaSend } from './replicas/replica-history.ts'
export { drawMode, type Loss, mayBeLost, type ReplicaMode } from './replicas/replica-mode.ts'
export {
  FAULT_KINDS,
  planReplicas,
  type ReplicaFault,
} from './replicas/replica-plan.ts'
export {
  type ReplicaOptions,
  type ReplicaReport,
  simulateReplicas,
} from './replicas/replica-run.ts'
export { storyOfReplicas } from './replicas/replica-story.ts'
export type { Finding, Incident, RunReport } from './run.ts'
export {
  FLIP_ENDINGS,
  FLIPPED,
  type FlipEnding,
  type Flipped,
  type FlipReport,
  flipBits,
} from './store-flips.ts'
export { type StoreLifeOptions, type StoreReport, simulateStore } from './store-life.ts'
export { storyOfStore } from './store-story.ts'
export { type StormOptions, type StormReport, simulateStorm } from './storm.ts'
export { judgeStorm, repeats as repeatsIn, type StormEvidence } from './storm-checker.ts'
export { type Standstill, type StormDelivery, StormHistory } from './storm-history.ts'
export type { GroupProgress } from './storm-operator.ts'
export { storyOfStorm } from './storm-story.ts'
export { judgeTimers, type TimerEvidence } from './timer-checker.ts'
export { type TimedSend, TimerHistory } from './timer-history.ts'
export { storyOfTimers } from './timer-story.ts'
export { simulateTimers, type TimerLifeOptions, type TimerReport } from './timers.ts'
export { SimTrace } from './trace.ts'
export type { SimWorld, WorldOptions } from './world.ts'
export { createWorld } from './world.ts'
