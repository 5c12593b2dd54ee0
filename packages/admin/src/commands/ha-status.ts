/** `mqadmin haStatus`: how far slaves are. */
import type { FollowingStatus, HaStatus, SlaveStatus } from '@rockhopper/protocol'
import { haStatus } from '../operations/ha-status.ts'
import { whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'
import { targetOf, targetOptions } from './target.ts'

const columns: readonly Column<SlaveStatus>[] = [
  { title: '#SlaveAddr', width: 33, cell: ({ addr }) => addr },
  { title: '#SlaveAckOffset', width: 16, cell: ({ slaveAckOffset }) => slaveAckOffset },
  { title: '#Diff', width: 16, align: 'right', cell: ({ diff }) => diff },
  {
    ...{ title: '#TransferSpeed(KB/s)', width: 16, align: 'right' },
    cell: ({ transferredByteInSecond }) => kilobytes(transferredByteInSecond),
  },
  {
    ...{ title: '#Status', width: 16, align: 'right' },
    cell: ({ inSync }) => (inSync ? 'OK' : 'Fall Behind'),
  },
  {
    ...{ title: '#TransferFromWhere', width: 16, align: 'right' },
    cell: ({ transferFromWhere }) => transferFromWhere,
  },
]

export const haStatusVerb = verb({
  name: 'haStatus',
  description: 'Fetch ha runtime status data.',
  options: { ...targetOptions, interval: whole('i', 'print again every so many seconds', 1) },
  repeatSeconds: ({ interval }) => interval,
  async run({ client, timeText }, options) {
    const brokers = await haStatus(client, targetOf(options))
    const lines = [...brokers].flatMap(([address, status]) => linesOf(address, status, timeText))
    return { lines, json: brokers }
  },
})

function linesOf(address: string, status: HaStatus, timeText: (timeMs: number) => string) {
  if (status.role === 'slave') return slaveLines(status.following, timeText)
  return [
    '',
    `#MasterAddr\t${address}`,
    `#MasterCommitLogMaxOffset\t${status.logEndOffset}`,
    `#SlaveNum\t${status.slaves.length}`,
    `#InSyncSlaveNum\t${status.inSyncSlaves}`,
    ...formatTable(columns, status.slaves, ' '),
  ]
}

function slaveLines(
  { lastReadTimestamp, lastWriteTimestamp, ...status }: FollowingStatus,
  timeText: (timeMs: number) => string,
): string[] {
  return [
    '',
    `#MasterAddr\t${status.masterAddr}`,
    `#CommitLogMaxOffset\t${status.maxOffset}`,
    `#TransferSpeed(KB/s)\t${kilobytes(status.transferredByteInSecond)}`,
    `#LastReadTime\t${lastReadTimestamp === 0 ? '' : timeText(lastReadTimestamp)}`,
    `#LastWriteTime\t${lastWriteTimestamp === 0 ? '' : timeText(lastWriteTimestamp)}`,
    `#MasterFlushOffset\t${status.masterFlushOffset}`,
  ]
}

function kilobytes(bytes: number): string {
  return (bytes / 1_024).toFixed(2)
}
