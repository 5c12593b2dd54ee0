/**
 * A survey as one screen of text. Owns nothing.
 */
import type { Restart } from './restart.ts'
import type { IndexFileSurvey, QueueSurvey, StoreSurvey } from './survey.ts'
import { bytesText, countText, spanText, type TimeText, tableText } from './words.ts'

/** So many rows fit on a screen; the JSON has all. */
const MOST_FILES = 8
const MOST_QUEUES = 40

/** `everyQueue`: all queues in any case, as a topic was named. */
export function surveyLines(
  survey: StoreSurvey,
  timeText: TimeText,
  everyQueue: boolean,
): string[] {
  return [
    `Store ${survey.directory}`,
    `  ${useText(survey)}`,
    `  ${writerText(survey)}`,
    '',
    ...logLines(survey, timeText),
    '',
    ...checkpointLines(survey, timeText),
    '',
    'If a broker were started now',
    ...restartLines(survey.restart, survey.log.firstOffset).map((line) => `  ${line}`),
    '',
    ...queueLines(survey, everyQueue),
    '',
    ...indexLines(survey.index, timeText),
    '',
    ...configLines(survey),
  ]
}

function useText({ use }: StoreSurvey): string {
  switch (use.kind) {
    case 'free':
      return 'no process has it open'
    case 'held':
      return `in use by ${use.holder}: what follows changes meanwhile`
    case 'unknown':
      return 'this system does not tell whether a process has it open'
  }
}

function writerText({ lastExit, lastWriter, use }: StoreSurvey): string {
  const writers = {
    rockhopper: 'last written by Rockhopper',
    apache: 'last written by Apache RocketMQ (the checkpoint has no part of Rockhopper’s)',
    unknown: 'who wrote last is not known, as there is no checkpoint',
  }
  return `${writers[lastWriter]}; ${exitText(lastExit, use.kind === 'held')}`
}

function exitText({ kind, pid, systemCrashed }: StoreSurvey['lastExit'], held: boolean): string {
  if (kind === 'clean') return 'closed in order'
  const of = pid === undefined || pid === '' ? '' : ` of process ${pid}`
  if (held) return `the file "abort"${of} is there, as long as it is in use`
  const system = systemCrashed ? ', maybe with the whole system' : ''
  return `not closed in order: the file "abort"${of} was left, so it was killed${system}`
}

function logLines({ log, lookedAtMs }: StoreSurvey, timeText: TimeText): string[] {
  const { files, firstOffset, roomEndOffset, segmentBytes } = log
  const head =
    `Commit log: ${countText(files.length, 'segment')} of ${bytesText(segmentBytes)}, ` +
    `offsets ${firstOffset} to ${roomEndOffset} (room)`
  const rows = files
    .slice(-MOST_FILES)
    .map(({ modifiedMs, name, sizeBytes }) => [
      `  ${name}`,
      sizeBytes === segmentBytes ? 'full length' : `ONLY ${sizeBytes} bytes`,
      `changed ${timeText(modifiedMs)}`,
      `${spanText(lookedAtMs - modifiedMs)} ago`,
    ])
  const table = files.length === 0 ? [] : tableText(rows[0] ?? [], rows.slice(1), new Set([3]))
  const hidden = files.length - rows.length
  return [head, ...(hidden > 0 ? [`  … ${countText(hidden, 'older segment')}`] : []), ...table]
}

function checkpointLines(survey: StoreSurvey, timeText: TimeText): string[] {
  const { checkpoint, restart } = survey
  if (checkpoint === undefined) return ['Checkpoint: there is none']
  const { indexMsgTimestamp, logOffset, logicsMsgTimestamp, physicMsgTimestamp } = checkpoint
  const time = (ms: number): string => (ms > 0 ? timeText(ms) : 'nothing')
  const behind =
    restart.kind === 'opens' && logOffset !== undefined
      ? ` (${bytesText(restart.endOffset - logOffset)} before the end of the log)`
      : ''
  return [
    'Checkpoint: durable up to',
    `  log     ${time(physicMsgTimestamp)}`,
    `  queues  ${time(logicsMsgTimestamp)}`,
    `  index   ${time(indexMsgTimestamp)}`,
    logOffset === undefined
      ? '  offset  not known: only Rockhopper notes it'
      : `  offset  ${logOffset}${behind}`,
  ]
}

function restartLines(restart: Restart, logStart: number): string[] {
  const warnings = restart.warnings.map((warning) => `warning: ${warning}`)
  if (restart.kind === 'refuses')
    return ['it would not open the store:', restart.reason, ...warnings]
  const { cutBytes, endOffset, keysFrom, scanFrom } = restart
  return [
    `the log would be checked from ${scanFrom} on (${bytesText(endOffset - scanFrom)}), and end at ${endOffset}`,
    cutBytes === 0
      ? 'nothing would be cut away'
      : `${countText(cutBytes, 'byte')} of an unfinished record would be cut away at ${endOffset}`,
    keysFrom >= endOffset
      ? 'the key index is complete'
      : `the key index would be made ${keysFrom <= logStart ? 'anew' : `from ${keysFrom} on`} ` +
        `(${bytesText(endOffset - keysFrom)} of log)`,
    ...warnings,
  ]
}

function queueLines({ queues }: StoreSurvey, everyQueue: boolean): string[] {
  const topics = new Set(queues.map(({ topic }) => topic))
  const head = `Queues: ${queues.length} of ${countText(topics.size, 'topic')}`
  if (queues.length === 0) return [head]
  const whole = everyQueue || queues.length <= MOST_QUEUES
  const titles = ['  topic', whole ? 'queue' : 'queues', 'min', 'max', 'files', 'not in files yet']
  const rows = whole ? queues.map(queueRow) : [...topics].map((topic) => topicRow(queues, topic))
  const table = tableText(
    titles,
    rows.slice(0, everyQueue ? rows.length : MOST_QUEUES),
    new Set([1, 2, 3, 4, 5]),
  )
  const hidden = rows.length - (table.length - 1)
  const more =
    hidden > 0 ? [`  … ${countText(hidden, 'more topic')}: see --json, or --topic NAME`] : []
  return [head, ...table, ...more]
}

function queueRow(queue: QueueSurvey): string[] {
  const { maxOffset, minOffset, missing, queueId, segments, topic } = queue
  return [`  ${topic}`, ...[queueId, minOffset, maxOffset, segments, missing].map(String)]
}

/** Sums: of a topic with many queues, one line is enough. */
function topicRow(all: readonly QueueSurvey[], topic: string): string[] {
  const queues = all.filter((queue) => queue.topic === topic)
  const sum = (value: (queue: QueueSurvey) => number): string =>
    String(queues.reduce((total, queue) => total + value(queue), 0))
  return [
    `  ${topic}`,
    String(queues.length),
    sum(({ minOffset }) => minOffset),
    sum(({ maxOffset }) => maxOffset),
    sum(({ segments }) => segments),
    sum(({ missing }) => missing),
  ]
}

function indexLines(index: readonly IndexFileSurvey[], timeText: TimeText): string[] {
  const head = `Key index: ${countText(index.length, 'file')}`
  if (index.length === 0) return [head]
  const titles = ['  name', 'entries', 'slots', 'from', 'to', 'offsets', '']
  const rows = index
    .slice(-MOST_FILES)
    .map((file) => [
      `  ${file.name}`,
      String(file.entries),
      String(file.usedSlots),
      file.entries === 0 ? '-' : timeText(file.beginTimestamp),
      file.entries === 0 ? '-' : timeText(file.endTimestamp),
      `${file.beginOffset} to ${file.endOffset}`,
      file.isWhole ? '' : `ONLY ${file.sizeBytes} bytes`,
    ])
  return [head, ...tableText(titles, rows, new Set([1, 2]))]
}

function configLines({ config }: StoreSurvey): string[] {
  const head = `Metadata: ${countText(config.length, 'file')} in config`
  const states = {
    readable: '',
    backup: 'the file CANNOT BE READ, its backup can',
    unreadable: 'CANNOT BE READ, and it has no backup that can',
  }
  return [
    head,
    ...config.map(({ counts, name, state }) => {
      const tables = Object.entries(counts).map(([table, count]) => `${table} ${count}`)
      return `  ${name}: ${[states[state], ...tables].filter((part) => part !== '').join(', ')}`
    }),
  ]
}
