/** The quickstart: its book finds what is wrong, and it leaves nothing behind. */
import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { Ledger, messageOf } from '../../bin/quickstart-ledger.mjs'
import { build, processesNaming, run, start, temporaryFolder } from './program.ts'

/** A delivery of message `number`, unchanged, at `queueOffset` of a queue. */
function delivery(number: number, queueOffset: number, queueId = 0) {
  const { topic, body, tag, keys } = messageOf('T', number)
  return { topic, body, tag, keys: [keys], queueOffset, queue: { brokerName: 'a', queueId } }
}

describe('the book', () => {
  test('has nothing to say when each message came once, in the order of its queue', () => {
    const ledger = new Ledger(4)
    const deliveries = [delivery(1, 0, 1), delivery(0, 0), delivery(2, 1), delivery(3, 1, 1)]
    for (const each of deliveries) ledger.enter(each)
    expect(ledger.verdict()).toEqual({
      ...{ received: 4, lost: 0, duplicated: 0, outOfOrder: 0, changed: 0 },
    })
  })

  test('knows a message that is missing', () => {
    const ledger = new Ledger(3)
    ledger.enter(delivery(0, 0))
    ledger.enter(delivery(2, 1))
    expect(ledger.verdict()).toMatchObject({ received: 2, lost: 1, outOfOrder: 0 })
  })

  test('knows a message that came twice', () => {
    const ledger = new Ledger(2)
    for (const each of [delivery(0, 0), delivery(1, 1), delivery(0, 0)]) ledger.enter(each)
    expect(ledger.verdict()).toMatchObject({ received: 2, lost: 0, duplicated: 1, outOfOrder: 0 })
  })

  test('knows a hole in a queue, and an older message behind a newer one', () => {
    const hole = new Ledger(2)
    for (const each of [delivery(0, 0), delivery(1, 2)]) hole.enter(each)
    expect(hole.verdict()).toMatchObject({ received: 2, outOfOrder: 1 })
    const swapped = new Ledger(2)
    for (const each of [delivery(1, 0), delivery(0, 1)]) swapped.enter(each)
    expect(swapped.verdict()).toMatchObject({ received: 2, outOfOrder: 1 })
  })

  test('knows a message that is not as it was sent: in any byte, its tag or its key', () => {
    const ledger = new Ledger(3)
    for (const at of [0, 3, 4, 60, 127]) {
      const changed = delivery(1, 0)
      changed.body[at] = (changed.body[at] ?? 0) ^ 1
      ledger.enter(changed)
    }
    ledger.enter({ ...delivery(1, 0), body: Buffer.alloc(0) })
    ledger.enter({ ...delivery(1, 0), tag: 'tag-9' })
    ledger.enter({ ...delivery(1, 0), keys: [] })
    ledger.enter(delivery(3, 0))
    expect(ledger.verdict()).toMatchObject({ received: 0, lost: 3, changed: 9 })
  })
})

describe('the program', () => {
  beforeAll(build)

  test('sends, consumes and checks, and its last line says so', async () => {
    const folder = temporaryFolder()
    const { code, out, errors } = await run('quickstart', ['--messages', '2000'], folder)
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(out.trimEnd().split('\n').at(-1)).toBe(
      'quickstart: 2000 sent, 2000 received, 0 lost, 0 duplicated, 0 out of order',
    )
  })

  test('leaves neither processes nor its folder behind when it is interrupted', async () => {
    const folder = temporaryFolder()
    const quickstart = start('quickstart', ['--messages', '10000000'], folder, { TMPDIR: folder })
    await quickstart.says('A name server runs at')
    const [temporary = ''] = readdirSync(folder).filter((name) => name.startsWith('rockhopper-'))
    expect(temporary).not.toBe('')
    expect(processesNaming(temporary)).toHaveLength(2)
    quickstart.signal('SIGINT')
    expect(await quickstart.ended()).toMatchObject({ code: 130 })
    expect(readdirSync(folder)).not.toContain(temporary)
    await expect.poll(() => processesNaming(temporary)).toEqual([])
  })

  test.each([[['--messages', '0']], [['--messages']], [['--message', '5']], [['5']]])(
    '%j is refused before anything is done',
    async (args) => {
      const { code, errors } = await run('quickstart', args, temporaryFolder())
      expect(code).toBe(1)
      expect(errors).toContain('write --messages and a number from 1 to 10000000')
    },
  )
})
