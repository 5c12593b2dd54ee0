/**
 * `rockhopper store dump`. Owns nothing.
 */
import { parseOffsetMessageId } from '@rockhopper/protocol'
import type { Command } from 'commander'
import {
  type CommonFlags,
  declareVerb,
  jsonText,
  linesText,
  numberIn,
  type Surroundings,
  storeAt,
} from './command-line.ts'
import { messageJson, messageLines } from './message-text.ts'
import { findMessages, type Wanted } from './messages.ts'
import { InspectError } from './store-folder.ts'

interface Flags extends CommonFlags {
  readonly offset?: string
  readonly id?: string
  readonly key?: readonly string[]
  readonly uniqueKey?: readonly string[]
  readonly queue?: readonly string[]
  readonly count?: string
  readonly body?: string
}

/** Messages with a key that are shown unless --count says otherwise. */
const MOST_WITH_KEY = 32

export function addMessageVerb(program: Command, surroundings: Surroundings): void {
  declareVerb(program, 'dump', 'Shows messages with all their fields, properties and body.')
    .option('--offset <N>', 'the message at an offset of the commit log')
    .option('--id <ID>', 'the message with an offset id, as a send answers it')
    .option('--key <TOPIC KEY...>', 'the messages with a key')
    .option('--unique-key <TOPIC KEY...>', 'the messages with a client’s own id (UNIQ_KEY)')
    .option('--queue <TOPIC ID OFFSET...>', 'the message at an offset of a queue')
    .option('--count <N>', `so many (1; ${MOST_WITH_KEY} with a key)`)
    .option('--body <FILE>', 'write the body of the first message into a file')
    .action((directory: string, flags: Flags) => dump(directory, flags, surroundings))
}

async function dump(directory: string, flags: Flags, surroundings: Surroundings): Promise<void> {
  const { absolute, host, print, saveFile, timeText } = surroundings
  const wanted = wantedBy(flags)
  const folder = storeAt(directory, flags, surroundings)
  const most = wanted.kind === 'key' ? MOST_WITH_KEY : 1
  const limit = flags.count === undefined ? most : numberIn(flags.count, '--count')
  const messages = await findMessages(host, folder, wanted, Math.max(1, limit))
  const [first] = messages
  if (flags.body !== undefined && first !== undefined) saveFile(absolute(flags.body), first.body)
  if (flags.json === true) print(jsonText(messages.map(messageJson)))
  else print(messages.map((each) => linesText(messageLines(each, timeText))).join('\n'))
}

/** Throws `InspectError` when not exactly one thing is asked for. */
function wantedBy({ id, key, offset, queue, uniqueKey }: Flags): Wanted {
  const asked: Wanted[] = []
  if (offset !== undefined) asked.push({ kind: 'offset', logOffset: numberIn(offset, '--offset') })
  if (id !== undefined) asked.push({ kind: 'offset', logOffset: offsetIn(id) })
  if (key !== undefined) asked.push(keyIn(key, '--key', false))
  if (uniqueKey !== undefined) asked.push(keyIn(uniqueKey, '--unique-key', true))
  if (queue !== undefined) asked.push(placeIn(queue))
  const [wanted] = asked
  if (wanted !== undefined && asked.length === 1) return wanted
  throw new InspectError(
    'Say which message: exactly one of --offset N, --id ID, --key TOPIC KEY, ' +
      '--unique-key TOPIC KEY and --queue TOPIC QUEUEID QUEUEOFFSET, behind the folder.',
  )
}

function offsetIn(id: string): number {
  const parsed = parseOffsetMessageId(id)
  if (parsed !== undefined && parsed.logOffset >= 0) return parsed.logOffset
  throw new InspectError(
    `"${id}" is no offset id, which has 32 or 56 hexadecimal digits: for a client’s own id use ` +
      '--unique-key TOPIC ID.',
  )
}

function keyIn(words: readonly string[], flag: string, unique: boolean): Wanted {
  const [topic, key] = words
  if (topic !== undefined && key !== undefined && words.length === 2) {
    return { kind: 'key', topic, key, unique }
  }
  throw new InspectError(
    `${flag} needs a topic and a key, behind the folder: DIR ${flag} TOPIC KEY.`,
  )
}

function placeIn(words: readonly string[]): Wanted {
  const [topic, queueId, queueOffset] = words
  if (
    topic !== undefined &&
    queueId !== undefined &&
    queueOffset !== undefined &&
    words.length === 3
  ) {
    return {
      kind: 'queue',
      topic,
      queueId: numberIn(queueId, '--queue'),
      queueOffset: numberIn(queueOffset, '--queue'),
    }
  }
  throw new InspectError(
    '--queue needs a topic, a queue and an offset in it, behind the folder: ' +
      'DIR --queue TOPIC QUEUEID QUEUEOFFSET.',
  )
}
