/** What the members of a group found out about lost and repeated messages. */
import type { AdminClient } from '../admin-client.ts'
import { consumerStatus } from './consumer-status.ts'

/** What a member knows of one producer and queue. */
export interface AuditedQueue {
  readonly clientId: string
  readonly topic: string
  readonly brokerName: string
  readonly queueId: number
  readonly producerId: string
  readonly audited: number
  readonly lost: number
  readonly repeated: number
  /** Numbers that may still come, or turn out to be lost. */
  readonly awaited: number
  readonly lastSequence: number
  readonly lastOffset: number
}

/** Counts of a member since its start, over all producers and queues. */
export interface AuditedClient {
  readonly clientId: string
  readonly audited: number
  readonly lost: number
  readonly repeated: number
  /** Messages that bear no number. */
  readonly unstamped: number
}

export interface GroupAudit {
  readonly clients: readonly AuditedClient[]
  readonly queues: readonly AuditedQueue[]
  /** Members that audit nothing, or did not answer. */
  readonly others: readonly string[]
}

const TOTAL = 'sequenceAudit'

/** Rejects with `AdminError` when nobody of the group is connected. */
export async function sequenceAudit(client: AdminClient, group: string): Promise<GroupAudit> {
  const status = await consumerStatus(client, { group, jstack: false })
  const clients: AuditedClient[] = []
  const queues: AuditedQueue[] = []
  const others: string[] = []
  for (const { connection, info } of status.clients) {
    const { clientId } = connection
    const told = info?.userConsumerInfo ?? {}
    const total = told[TOTAL]
    if (total === undefined) {
      others.push(clientId)
      continue
    }
    const { audited, lost, repeated, unstamped } = countsOf(total)
    clients.push({ clientId, audited, lost, repeated, unstamped })
    for (const [name, text] of Object.entries(told)) {
      const queue = queueOf(clientId, name, text)
      if (queue !== undefined) queues.push(queue)
    }
  }
  return { clients, queues, others }
}

/** From `sequenceAudit topic broker queue producer`; undefined for other names. */
function queueOf(clientId: string, name: string, text: string): AuditedQueue | undefined {
  const [word, topic, brokerName, queueId, producerId] = name.split(' ')
  if (word !== TOTAL || topic === undefined || brokerName === undefined) return undefined
  if (producerId === undefined) return undefined
  const { unstamped: _, ...counts } = countsOf(text)
  return { clientId, topic, brokerName, queueId: Number(queueId), producerId, ...counts }
}

/** From `name=number` joined by blanks; 0 for what is absent. */
function countsOf(text: string) {
  const pairs = text.split(' ').map((pair) => pair.split('='))
  const of = (name: string): number => Number(pairs.find(([each]) => each === name)?.[1] ?? 0)
  return {
    ...{ audited: of('audited'), lost: of('lost'), repeated: of('repeated') },
    ...{ awaited: of('awaited'), unstamped: of('unstamped') },
    ...{ lastSequence: of('lastSequence'), lastOffset: of('lastOffset') },
  }
}
