/**
 * Producers and consumers for applications.
 */

export type { MessageQueue } from '@rockhopper/protocol'
export {
  type AllocationStrategy,
  allocateAveragely,
  allocateByCircle,
  allocateByConfiguration,
} from './allocate.ts'
export { allocateByConsistentHash } from './allocate-by-hash.ts'
export { allocateByMachineRoom, allocateNearby, type MachineRooms } from './allocate-by-room.ts'
export type { ClientOptions, ConsumeFromWhere, ConsumerOptions, ProducerOptions } from './config.ts'
export type { ConsumerEvents } from './consumer-events.ts'
export type { AfterFailure } from './consumption.ts'
export { type DeadLetter, type DeadLetterRange, DeadLetters } from './dead-letters.ts'
export { ClientError, type ClientErrorCode, NoRouteError, type NoRouteReason } from './errors.ts'
export type { BatchHandler, ConsumeContext, MessageHandler } from './handlers.ts'
export { LitePullConsumer, type LitePullEvents } from './lite-pull-consumer.ts'
export type {
  Message,
  QueueSelector,
  SendOptions,
  SendResult,
  SendStatus,
} from './message.ts'
export { bySql, byTags, type MessageFilter, type SqlValue } from './message-filter.ts'
export type { MessageStream } from './message-stream.ts'
export type { QueueOffset } from './polled-queues.ts'
export { DefaultProducer, type ProducerEvents } from './producer.ts'
export type { LitePullOptions, PullOptions } from './pull-config.ts'
export { PullConsumer, type Pulled } from './pull-consumer.ts'
export { PushConsumer } from './push-consumer.ts'
export type { QueuesListener } from './queue-watch.ts'
export type { ReceivedMessage } from './received-message.ts'
export { selectByHash } from './select-by-hash.ts'
export { selectByIndex, selectByMachineRoom, selectByRandom } from './select-queue.ts'
export { splitBatch } from './split-batch.ts'
export type { QueueStall, StallReason } from './stall-watch.ts'
export { TransactionProducer, type TransactionProducerOptions } from './transaction-producer.ts'
export type {
  LocalState,
  TransactionListener,
  TransactionOptions,
  TransactionResult,
} from './transactions.ts'
