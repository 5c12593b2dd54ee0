/**
 * A message as text, with its properties as a table. Owns nothing.
 */
import { isUtf8 } from 'node:buffer'
import { compressionOf, sysFlag } from '@rockhopper/protocol'
import type { DumpedMessage } from './messages.ts'
import { type TimeText, tableText } from './words.ts'

/** So much of a body is shown; all of it goes into a file or into the JSON. */
const SHOWN_BYTES = 4096
const HEX_BYTES_PER_LINE = 16
/** What a terminal would not show as it is. */
const CONTROL = /\p{Cc}/gu
const CONTROL_IN_TEXT = /(?![\t\r\n])\p{Cc}/u

export function messageLines(message: DumpedMessage, timeText: TimeText): string[] {
  const { properties } = message
  const rows = Object.entries(properties).map(([name, value]) => [`  ${name}`, shown(value)])
  return [
    `Message ${message.offsetMessageId}`,
    ...tableText(['  topic', message.topic], fieldRows(message, timeText), new Set()),
    `Properties: ${rows.length}`,
    ...tableText(rows[0] ?? [], rows.slice(1), new Set()).slice(0, rows.length),
    ...bodyLines(message),
  ]
}

/** The same for programs; the body is text where it can be, and base64 elsewhere. */
export function messageJson(message: DumpedMessage): object {
  const { body, ...fields } = message
  const text = textOf(body)
  const encoded = text === undefined ? { bodyBase64: body.toString('base64') } : { bodyText: text }
  return { ...fields, bodyBytes: body.length, ...encoded }
}

function fieldRows(message: DumpedMessage, timeText: TimeText): string[][] {
  const { bornTimestamp, logOffset, sizeBytes, storeTimestamp } = message
  return [
    ['  queue', `${message.queueId}, offset ${message.queueOffset}`],
    ['  log', `offset ${logOffset}, ${sizeBytes} bytes`],
    ['  born', `${timeText(bornTimestamp)} at ${message.bornHost}`],
    ['  stored', `${timeText(storeTimestamp)} at ${message.storeHost}`],
    ['  reconsumed', `${message.reconsumeTimes} times`],
    ['  flag', String(message.flag)],
    ['  sysFlag', `${message.sysFlag}${flagWords(message.sysFlag)}`],
    ['  prepared offset', String(message.preparedTransactionOffset)],
    ['  body checksum', (message.bodyCrc >>> 0).toString(16).padStart(8, '0')],
  ]
}

function flagWords(flags: number): string {
  const transactions = ['', 'prepared', 'committed', 'rolled back']
  const words = [
    compressionOf(flags) === 'none' ? '' : `compressed with ${compressionOf(flags)}`,
    transactions[(flags & sysFlag.transactionRollback) >>> 2] ?? '',
    flags & sysFlag.multiTags ? 'several tags' : '',
    flags & sysFlag.innerBatch ? 'a batch in one record' : '',
    flags & sysFlag.bornHostV6 ? 'born host IPv6' : '',
    flags & sysFlag.storeHostV6 ? 'store host IPv6' : '',
  ].filter((word) => word !== '')
  return words.length === 0 ? '' : ` (${words.join(', ')})`
}

function bodyLines({ body, bodyNotes }: DumpedMessage): string[] {
  const notes = bodyNotes.map((note) => `; ${note}`).join('')
  const text = textOf(body)
  const part = body.subarray(0, SHOWN_BYTES)
  const lines = text === undefined ? hexLines(part) : text.slice(0, SHOWN_BYTES).split('\n')
  const isWhole = body.length <= SHOWN_BYTES
  const more = isWhole ? [] : [`  … ${body.length} bytes in all: see --body FILE`]
  return [
    `Body: ${body.length} bytes${text === undefined ? ', no text' : ''}${notes}`,
    ...(body.length === 0 ? [] : lines.map((line) => `  ${line}`)),
    ...more,
  ]
}

/** The text that a body is; undefined when it is none. */
function textOf(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined
  const text = body.toString()
  return CONTROL_IN_TEXT.test(text) ? undefined : text
}

function hexLines(bytes: Buffer): string[] {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += HEX_BYTES_PER_LINE) {
    const part = bytes.subarray(at, at + HEX_BYTES_PER_LINE)
    const hex = part.toString('hex').replace(/(..)(?=.)/g, '$1 ')
    const letters = part.toString('latin1').replace(/[^\x20-\x7e]/g, '.')
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${letters}`)
  }
  return lines
}

/** A value on one line that does nothing to a terminal. */
function shown(value: string): string {
  return value.replace(CONTROL, (char) => JSON.stringify(char).slice(1, -1))
}
