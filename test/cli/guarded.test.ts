/** A process that may make no code from texts (a switch of Node) speaks the protocol all the same. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { build, root } from './program.ts'

const SCRIPT = `
import { FrameDecoder, FrameEncoder, SEND_MESSAGE } from '@rockhopper/protocol'
let mayGenerate = true
try { new Function('') } catch { mayGenerate = false }
const encoder = new FrameEncoder()
const header = { topic: 'T', queueId: 3, bornTimestamp: 5, batch: true }
const topics = []
for (const serialization of [0, 1, 77]) {
  const head = { code: SEND_MESSAGE.code, opaque: 1, flag: 0, version: 1, language: 0, serialization }
  encoder.add(head, SEND_MESSAGE.request, header)
}
new FrameDecoder().push(Buffer.concat(encoder.take()), ({ head }) => {
  topics.push(SEND_MESSAGE.request.decode(head.ext, 'the request'))
})
process.stdout.write(JSON.stringify({ mayGenerate, topics }))
`

beforeAll(build)

test('without code from texts, headers are written and read in all three forms', async () => {
  const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', SCRIPT]
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: root })
  const header = { topic: 'T', queueId: 3, bornTimestamp: 5, batch: true }
  expect(JSON.parse(stdout)).toEqual({ mayGenerate: false, topics: [header, header, header] })
})
