/** Micro-benchmarks of the header codecs: a SEND_MESSAGE_V2 request and its answer. */
import { FrameDecoder, FrameEncoder, SEND_MESSAGE_V2, serialization } from '@rockhopper/protocol'
import { bench, group, run as runBenches, summary } from 'mitata'

const header = {
  producerGroup: 'bench-producers',
  topic: 'BenchmarkTopic',
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  queueId: 3,
  sysFlag: 0,
  bornTimestamp: 1_700_000_000_000,
  flag: 0,
  properties: Buffer.from(
    'UNIQ_KEY\x01C0A8010A1F9018B4AAC2118D2F3C0000\x02WAIT\x01true\x02TAGS\x01A\x02',
  ),
  reconsumeTimes: 0,
  unitMode: false,
  batch: false,
  brokerName: 'broker-a',
}
const head = { code: 310, opaque: 7, flag: 0, version: 479, language: 7, remark: undefined }
const body = [Buffer.alloc(128, 1)]

function encoded(form) {
  const encoder = new FrameEncoder()
  encoder.add({ ...head, serialization: form }, SEND_MESSAGE_V2.request, header, undefined, body)
  return Buffer.concat(encoder.take())
}

export async function run() {
  for (const [name, form] of Object.entries(serialization)) {
    group(`SEND_MESSAGE_V2 in ${name}`, () => {
      summary(() => {
        const bytes = encoded(form)
        const decoder = new FrameDecoder()
        bench('decode to typed fields', () => {
          decoder.push(bytes, (frame) => SEND_MESSAGE_V2.request.decode(frame.head.ext, 'bench'))
        })
        const encoder = new FrameEncoder()
        let count = 0
        bench('encode', () => {
          encoder.add(
            { ...head, serialization: form },
            SEND_MESSAGE_V2.request,
            header,
            undefined,
            body,
          )
          if (++count % 256 === 0) encoder.take()
        })
      })
    })
  }
  await runBenches()
}
