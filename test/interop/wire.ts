/**
 * A request and its answer in a dozen lines, independent of the code under test: length, header
 * length, JSON header, body. Enough to ask any name server what it knows.
 */
import { connect } from 'node:net'
import { patienceMs } from './patience.ts'

export interface RawAnswer {
  readonly code: number
  readonly remark: string
  /** The fields of the answer's header. */
  readonly extFields: Readonly<Record<string, string>>
  readonly body: string
}

const updateAndCreateTopic = 17
const getRouteInfoByTopic = 105
const getBrokerClusterInfo = 106

export function ask(
  addr: string,
  code: number,
  extFields: Readonly<Record<string, string>> = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const [host = '', port = ''] = addr.split(':')
    const socket = connect(Number(port), host)
    let received = Buffer.alloc(0)
    const unanswered = (): Error => new Error(`${addr} did not answer`)
    socket.setTimeout(patienceMs, () => socket.destroy(unanswered()))
    socket.on('error', reject)
    socket.on('close', () => reject(unanswered()))
    socket.on('connect', () => socket.write(requestFrame(code, extFields)))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < received.readInt32BE(0) + 4) return
      socket.end()
      resolve(parseAnswer(received))
    })
  })
}

function requestFrame(code: number, extFields: Readonly<Record<string, string>>): Buffer {
  const head = { code, extFields, flag: 0, language: 'JAVA', opaque: 1, version: 479 }
  const header = Buffer.from(JSON.stringify(head))
  const lengths = Buffer.alloc(8)
  lengths.writeInt32BE(4 + header.length, 0)
  lengths.writeInt32BE(header.length, 4)
  return Buffer.concat([lengths, header])
}

function parseAnswer(frame: Buffer): RawAnswer {
  const headerEnd = 8 + (frame.readInt32BE(4) & 0xffffff)
  const head = JSON.parse(frame.toString('utf8', 8, headerEnd))
  const body = frame.toString('utf8', headerEnd, frame.readInt32BE(0) + 4)
  return { code: head.code, remark: head.remark ?? '', extFields: head.extFields ?? {}, body }
}

/** The names of the brokers registered with a name server. */
export async function registeredBrokers(namesrv: string): Promise<string[]> {
  const { body } = await ask(namesrv, getBrokerClusterInfo)
  const table = /"brokerAddrTable":\s*\{/.test(body) ? body : ''
  return [...table.matchAll(/"brokerName":\s*"([^"]+)"/g)].map(([, name = '']) => name)
}

const pollEveryMs = 200

/** Waits until a condition that must be asked for holds. */
export async function poll(
  what: string,
  holds: () => Promise<boolean>,
  timeoutMs: number = patienceMs,
): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`within ${timeoutMs} ms there was no ${what}`)
    await new Promise((resolve) => setTimeout(resolve, pollEveryMs))
  }
}

/**
 * Waits until each of the name servers (separated by semicolons) knows the broker at this address: its
 * name alone may be that of its slave or its master.
 */
export async function untilRegistered(namesrvs: string, addr: string): Promise<void> {
  const known = async (namesrv: string): Promise<boolean> =>
    (await ask(namesrv, getBrokerClusterInfo)).body.includes(`"${addr}"`)
  for (const namesrv of namesrvs.split(';')) {
    await poll(`broker at ${addr} at name server ${namesrv}`, () => known(namesrv))
  }
}

/** Makes a topic at a broker, and waits until the name server knows it. */
export async function makeTopic(
  { namesrv, broker }: { readonly namesrv: string; readonly broker: string },
  topic: string,
  queueCount: number,
): Promise<string> {
  const count = String(queueCount)
  const { code, remark } = await ask(broker, updateAndCreateTopic, {
    ...{ topic, defaultTopic: 'TBW102', readQueueNums: count, writeQueueNums: count },
    ...{ perm: '6', topicFilterType: 'SINGLE_TAG', topicSysFlag: '0', order: 'false' },
  })
  if (code !== 0) throw new Error(`${broker} does not make the topic ${topic}: ${code} ${remark}`)
  const isKnown = async (): Promise<boolean> =>
    (await ask(namesrv, getRouteInfoByTopic, { topic })).code === 0
  await poll(`route of ${topic}`, isKnown)
  return topic
}
