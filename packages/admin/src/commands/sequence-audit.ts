/** `mqadmin sequenceAudit`: which messages the members of a group found lost or repeated (ours). */
import {
  type AuditedClient,
  type AuditedQueue,
  sequenceAudit,
} from '../operations/sequence-audit.ts'
import { required, text } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

const clientColumns: readonly Column<AuditedClient>[] = [
  { title: '#ClientId', width: 40, cell: ({ clientId }) => clientId },
  { title: '#Audited', width: 12, cell: ({ audited }) => audited },
  { title: '#Lost', width: 10, cell: ({ lost }) => lost },
  { title: '#Repeated', width: 10, cell: ({ repeated }) => repeated },
  { title: '#Unstamped', width: 0, cell: ({ unstamped }) => unstamped },
]

const queueColumns: readonly Column<AuditedQueue>[] = [
  { title: '#Topic', width: 32, cell: ({ topic }) => topic },
  { title: '#Broker Name', width: 20, cell: ({ brokerName }) => brokerName },
  { title: '#QID', width: 4, cell: ({ queueId }) => queueId },
  { title: '#Producer', width: 16, cell: ({ producerId }) => producerId },
  { title: '#Audited', width: 12, cell: ({ audited }) => audited },
  { title: '#Lost', width: 10, cell: ({ lost }) => lost },
  { title: '#Repeated', width: 10, cell: ({ repeated }) => repeated },
  { title: '#Awaited', width: 10, cell: ({ awaited }) => awaited },
  { title: '#Last Number', width: 12, cell: ({ lastSequence }) => lastSequence },
  { title: '#Last Offset', width: 0, cell: ({ lastOffset }) => lastOffset },
]

export const sequenceAuditVerb = verb({
  name: 'sequenceAudit',
  description: 'Show which messages the members of a group found lost or repeated.',
  options: { consumerGroup: required(text('g', 'name of the consumer group')) },
  async run({ client }, { consumerGroup }) {
    const audit = await sequenceAudit(client, consumerGroup)
    const { clients, queues, others } = audit
    const without = others.map((clientId) => `"${clientId}" audits nothing, or did not answer.`)
    const tables = [
      ...formatTable(clientColumns, clients),
      '',
      ...formatTable(queueColumns, queues),
    ]
    return { lines: [...tables, '', ...without], json: audit }
  },
})
