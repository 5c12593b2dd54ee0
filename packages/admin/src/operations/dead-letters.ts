/** The messages that a group has given up: looks at them, and sends chosen ones again. */
import {
  type DeadLetter,
  type DeadLetterRange,
  DeadLetters,
  type SendResult,
} from '@rockhopper/client'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'

/** Letters that are sent again at a time. */
const AT_A_TIME = 32

/** Who gets them again: their group alone, or everybody who reads the topic they were sent to. */
export type ResendTarget = 'group' | 'topic'

/** Which letters: these, or those given up in a time. */
export interface LetterChoice extends DeadLetterRange {
  /** Unique keys or ids of brokers; of the letter, or of the message as it was sent first. */
  readonly ids?: readonly string[]
}

export interface Resent {
  readonly letter: DeadLetter
  readonly result: SendResult
}

/** At most `count` letters of a group, in the order of their queues. */
export async function deadLetters(
  client: AdminClient,
  group: string,
  choice: LetterChoice,
  count: number,
): Promise<DeadLetter[]> {
  return withLetters(client, group, async (letters) => {
    const found: DeadLetter[] = []
    for await (const letter of chosen(letters, choice)) {
      found.push(letter)
      if (found.length >= count) break
    }
    return found
  })
}

/**
 * Sends letters again, some at a time. Rejects with `AdminError` that says how far it came:
 * at once, and with nothing sent, when one of the ids is not there.
 */
export async function resendDeadLetters(
  client: AdminClient,
  group: string,
  choice: LetterChoice,
  target: ResendTarget,
): Promise<Resent[]> {
  return withLetters(client, group, async (letters) => {
    const resent: Resent[] = []
    const send = async (batch: readonly DeadLetter[]): Promise<void> => {
      const results = await Promise.allSettled(
        batch.map(async (letter) => ({ letter, result: await letters.resend(letter, target) })),
      )
      for (const settled of results) {
        if (settled.status === 'fulfilled') resent.push(settled.value)
      }
      const failed = results.findIndex(({ status }) => status === 'rejected')
      if (failed !== -1) throw stopped(resent, batch[failed], results[failed])
    }
    if (choice.ids !== undefined) {
      await send(await allOf(letters, choice, choice.ids, group))
      return resent
    }
    let batch: DeadLetter[] = []
    for await (const letter of chosen(letters, choice)) {
      batch.push(letter)
      if (batch.length < AT_A_TIME) continue
      await send(batch)
      batch = []
    }
    await send(batch)
    return resent
  })
}

async function withLetters<T>(
  { host, nameServers: namesrvAddr }: AdminClient,
  group: string,
  work: (letters: DeadLetters) => Promise<T>,
): Promise<T> {
  const letters = new DeadLetters({ host, namesrvAddr, group })
  await letters.start()
  try {
    return await work(letters)
  } finally {
    await letters.close()
  }
}

async function* chosen(letters: DeadLetters, choice: LetterChoice): AsyncGenerator<DeadLetter> {
  for await (const letter of letters.read(choice)) {
    if (choice.ids === undefined || choice.ids.some((id) => isNamed(letter, id))) yield letter
  }
}

function isNamed({ message, originMsgId }: DeadLetter, id: string): boolean {
  return message.msgId === id || message.offsetMsgId === id || originMsgId === id
}

/** Throws `AdminError` when one of the ids is not there. */
async function allOf(
  letters: DeadLetters,
  choice: LetterChoice,
  ids: readonly string[],
  group: string,
): Promise<DeadLetter[]> {
  const found: DeadLetter[] = []
  for await (const letter of chosen(letters, choice)) found.push(letter)
  const missing = ids.filter((id) => !found.some((letter) => isNamed(letter, id)))
  if (missing.length === 0) return found
  throw new AdminError(
    `Nothing was sent: group "${group}" has no dead letter with the id ${missing.join(', ')}. ` +
      `See them with mqadmin listDeadLetters -g ${group}.`,
  )
}

function stopped(
  resent: readonly Resent[],
  letter: DeadLetter | undefined,
  settled: PromiseSettledResult<unknown> | undefined,
): AdminError {
  const cause = settled?.status === 'rejected' ? settled.reason : undefined
  const reason = cause instanceof Error ? cause.message : String(cause)
  const goOn = letter === undefined ? '' : ` Go on with -s ${letter.diedAtMs}.`
  return new AdminError(
    `${resent.length} dead letters were sent again, then ${letter?.message.msgId} was not: ` +
      `${reason}${goOn}`,
    { cause },
  )
}
