/**
 * Which queues a consumer wants to have for itself, and which of them it got.
 * Source: Apache classes LockBatchRequestBody, LockBatchResponseBody; `broker-api.md` section 16.2.
 */
import { parseFastjson } from '../fastjson.ts'
import { type MessageQueue, messageQueueOf } from './message-queue.ts'
import { asBool, asList, asObject, asText } from './shape.ts'

export interface QueueLockRequest {
  readonly consumerGroup: string
  readonly clientId: string
  readonly queues: readonly MessageQueue[]
  /** Whether the broker asks no replicas of its own. */
  readonly onlyThisBroker: boolean
}

export function encodeQueueLockRequest(request: QueueLockRequest): Buffer {
  const { clientId, consumerGroup, onlyThisBroker, queues: mqSet } = request
  return Buffer.from(JSON.stringify({ clientId, consumerGroup, mqSet, onlyThisBroker }))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeQueueLockRequest(body: Buffer): QueueLockRequest {
  const json = asObject(parseFastjson(body.toString()))
  return {
    consumerGroup: asText(json['consumerGroup']),
    clientId: asText(json['clientId']),
    queues: asList(json['mqSet']).map(messageQueueOf),
    onlyThisBroker: asBool(json['onlyThisBroker']),
  }
}

export function encodeLockedQueues(queues: readonly MessageQueue[]): Buffer {
  return Buffer.from(JSON.stringify({ lockOKMQSet: queues }))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeLockedQueues(body: Buffer): MessageQueue[] {
  const json = asObject(parseFastjson(body.toString()))
  return asList(json['lockOKMQSet']).map(messageQueueOf)
}
