/**
 * Producers and consumers for applications.
 */

export type { MessageQueue } from '@rockhopper/protocol'
export type {
  AuditRow,
  AuditTotals,
  SequenceLoss,
  SequenceRepeat,
} from './audit/sequence-audit.ts'
export {
  type AllocationStrategy,
  allocateAveragely,
  allocateByCircle,
  allocateByConfiguration,
} from './balance/allocate.ts'
export { allocateByConsistentHash } from './balance/allocate-by-hash.ts'
export {
  allocateByMachineRoom,
  allocateNearby,
  type MachineRooms,
} from './balance/allocate-by-room.ts'
export type { QueuesListener } from './cluster/queue-watch.ts'
export { type PlainBody, plainBody } from './compression/plain-body.ts'
export type {
  ClientOptions,
  ConsumeFromWhere,
  ConsumerOptions,
  ObservedOptions,
  ProducerOptions,
} from './config.ts'
export { ClientError, type ClientErrorCode, NoRouteError, type NoRouteReason } from './errors.ts'
export { type DeadLetter, type DeadLetterRange, DeadLetters } from './fetch/dead-letters.ts'
export { LitePullConsumer, type LitePullEvents } from './fetch/lite-pull-consumer.ts'
export type { QueueOffset } from './fetch/polled-queues.ts'
export type { LitePullOptions, PullOptions } from './fetch/pull-config.ts'
export { PullConsumer, type PullEvents, type Pulled } from './fetch/pull-consumer.ts'
export type { ConsumerEvents } from './handle/consumer-events.ts'
export type { AfterFailure } from './handle/consumption.ts'
export type { BatchHandler, ConsumeContext, MessageHandler } from './handle/handlers.ts'
export type { MessageStream } from './handle/message-stream.ts'
export { PushConsumer } from './handle/push-consumer.ts'
export type { QueueStall, StallReason } from './handle/stall-watch.ts'
export type { AuditReport } from './hooks/consume-observers.ts'
export type {
  ConsumeEnd,
  ConsumerHook,
  Consuming,
  HookFailure,
  ProducerHook,
  SendAttempt,
  SendEnd,
  Sending,
  TransactionEnd,
} from './hooks/hook.ts'
export { openTelemetry, type TelemetryApi, type TelemetrySpan } from './hooks/open-telemetry.ts'
export { type FileOnceOptions, FileOnceStore } from './once/file-once-store.ts'
export type { KeyLimits } from './once/handled-keys.ts'
export { type MemoryOnceOptions, MemoryOnceStore } from './once/memory-once-store.ts'
export { type Claim, type OnceOptions, type OnceStore, once } from './once/once.ts'
export type {
  Message,
  QueueSelector,
  SendOptions,
  SendResult,
  SendStatus,
} from './produce/message.ts'
export { DefaultProducer, type ProducerEvents } from './produce/producer.ts'
export { selectByHash } from './produce/select-by-hash.ts'
export { selectByIndex, selectByMachineRoom, selectByRandom } from './produce/select-queue.ts'
export { splitBatch } from './produce/split-batch.ts'
export {
  TransactionProducer,
  type TransactionProducerOptions,
} from './produce/transaction-producer.ts'
export type {
  LocalState,
  TransactionListener,
  TransactionOptions,
  TransactionResult,
} from './produce/transactions.ts'
export { bySql, byTags, type MessageFilter, type SqlValue } from './pull/message-filter.ts'
export type { ReceivedMessage } from './pull/received-message.ts'
export type { ReceivedReply } from './request-reply/received-reply.ts'
export type { ReplyOptions } from './request-reply/replier.ts'
