/**
 * All real doors together, as a composition root gets them.
 */
import { type Logger, silentLogger } from './logger.ts'
import type { Host } from './machine.ts'
import { NodeClock } from './node-clock.ts'
import { NodeDisk } from './node-disk.ts'
import { nodeMachine } from './node-machine.ts'
import { NodeNetwork } from './node-network.ts'
import { NodeRandom } from './node-random.ts'

export interface NodeHostOptions {
  /** Nothing is said when absent; programs pass `pinoLogger(…)`. */
  readonly logger?: Logger
}

export function nodeHost(options: NodeHostOptions = {}): Host {
  const logger = options.logger ?? silentLogger
  return {
    clock: new NodeClock(),
    disk: new NodeDisk(),
    network: new NodeNetwork(logger),
    random: new NodeRandom(),
    logger,
    machine: nodeMachine(),
  }
}
