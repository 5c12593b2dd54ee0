/** Many messages are cut into batches that fit, in their order, none left out. */
import { type Message, splitBatch } from '@rockhopper/client'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure, Scene, TOPIC } from './scene.ts'

const message = (body: string): Message => ({ topic: TOPIC, body, keys: 'k', tag: 'ü' })

/** What a message of this test takes beside its body: lengths, flags, key, WAIT, TAGS and KEYS. */
const FIXED_BYTES = 22 + 'UNIQ_KEY..WAIT.true.TAGS.uu.KEYS.k.'.length + 56

test('each batch fits, however long the messages are, and no two neighbours would fit into one', async () => {
  const scene = await Scene.open({ queues: 1 })
  const producer = await scene.startedProducer({ maxMessageBytes: 1000 })
  const sizes: number[] = []
  scene.broker().script.onSend = (_header, body) => {
    sizes.push(body.length)
    return undefined
  }
  const lengths = fc.sample(fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 40 }), {
    numRuns: 20,
    seed: 7,
  })
  for (const each of lengths) {
    const messages = each.map((length) => message('x'.repeat(length)))
    const batches = [...splitBatch(messages, 1000)]
    expect(batches.flat()).toEqual(messages)
    sizes.splice(0)
    for (const batch of batches) await scene.run(producer.sendBatch(batch))
    // A key of an IPv6 machine, which is counted, is 24 bytes longer than one of this machine.
    const counted = sizes.map((bytes, i) => bytes + 24 * (batches[i]?.length ?? 0))
    for (const bytes of counted) expect(bytes).toBeLessThanOrEqual(1000)
    for (const [i, batch] of batches.slice(1).entries()) {
      const before = counted[i] ?? 0
      expect(before + FIXED_BYTES + (batch[0]?.body.length ?? 0)).toBeGreaterThan(1000)
    }
  }
})

test('a message that is too long for any batch is alone in one, and only that is refused', async () => {
  const scene = await Scene.open({ queues: 1 })
  const producer = await scene.startedProducer({ maxMessageBytes: 1000 })
  const batches = [...splitBatch([message('a'), message('b'.repeat(990)), message('c')], 1000)]
  expect(batches.map((batch) => batch.length)).toEqual([1, 1, 1])
  const [, long = []] = batches
  const error = await scene.run(failure(producer.sendBatch(long)))
  expect(error.message).toContain('1000 are allowed: cut it with splitBatch, or raise maxMess')
})

test('nothing makes no batch, and a message that breaks a rule is named', () => {
  expect([...splitBatch([])]).toEqual([])
  const bad: Message = { topic: TOPIC, body: 'x', properties: { TAGS: 'x' } }
  expect(() => [...splitBatch([bad])]).toThrow('named "TAGS", which is reserved')
  expect(() => [...splitBatch([message('a')], 0)]).toThrow('maxBytes is 0: use a whole number')
})
