/**
 * Messages with random times of delivery, to a broker that is killed again and again while they come
 * and while they are due: none may be early, none lost, none twice in the log. Owns the process and
 * what was acknowledged.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeHost } from '@rockhopper/host'
import { responseCode, SEND_MESSAGE_V2 } from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { SimRandom } from '@rockhopper/sim'
import type { Child } from '../processes/child.ts'
import { launchOurServer, untilUp } from '../processes/our-server.ts'
import { freePort } from '../processes/port.ts'
import { messagesOf, type PullOptions } from './queue-pulls.ts'
import { percentile } from './tally.ts'
import type { Verdict } from './verdict.ts'

const TOPIC = 'timed'
const PORTS = { lowest: 24_000, highest: 24_490 }
const WAVE = 200
const MIN_DELAY_MS = 1_000
const SEND_TIMEOUT_MS = 10_000
/** Pauses between two kills. */
const LIFE_MS = { least: 4_000, most: 15_000 }
/** After a start the messages that were due meanwhile are late through no fault of the broker. */
const CATCH_UP_MS = 2_000
const P99_LIMIT_MS = 300
const END_LIMIT_MS = 60_000

export interface TimerStormOptions {
  readonly messages: number
  readonly maxDelayMs: number
  readonly seed: number
}

class TimerStorm {
  readonly #options: TimerStormOptions
  readonly #random: SimRandom
  readonly #remoting = new RemotingClient(nodeHost())
  readonly #folder: string
  readonly #port: number
  /** When each message is due, by its body. */
  readonly #dueMs = new Map<string, number>()
  readonly #acknowledged = new Set<string>()
  /** When the broker was not there, from each kill until it had caught up again. */
  readonly #outages: { readonly fromMs: number; toMs: number }[] = []
  #child: Child | undefined
  #isSending = true

  constructor(options: TimerStormOptions, folder: string, port: number) {
    this.#options = options
    this.#random = new SimRandom(options.seed)
    this.#folder = folder
    this.#port = port
  }

  async play(): Promise<string[]> {
    await this.#launch()
    const kills = this.#killNowAndThen()
    await this.#send()
    this.#isSending = false
    await kills
    const flaws = await this.#judge()
    this.close()
    return flaws
  }

  close(): void {
    this.#child?.kill()
    this.#remoting.close()
  }

  get report(): string {
    return `${this.#acknowledged.size} acknowledged, ${this.#outages.length} kills`
  }

  get #address(): string {
    return `127.0.0.1:${this.#port}`
  }

  async #launch(): Promise<void> {
    this.#child = launchOurServer({
      name: 'the broker',
      program: 'mqbroker',
      home: this.#folder,
      settings: {
        ...{ brokerName: 'broker-a', brokerIP1: '127.0.0.1', listenPort: String(this.#port) },
        storePathRootDir: join(this.#folder, 'store'),
        ...{ mappedFileSizeCommitLog: '67108864', timerPrecisionMs: '100' },
        flushDelayOffsetInterval: '2000',
      },
    })
    await untilUp(this.#child)
  }

  /** As long as messages come or are due. */
  async #killNowAndThen(): Promise<void> {
    const { least, most } = LIFE_MS
    while (this.#isSending || Date.now() < Math.max(...this.#lastDue())) {
      await sleep(this.#random.between(least, most))
      const outage = { fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY }
      this.#outages.push(outage)
      this.#child?.kill()
      await this.#child?.ended
      await this.#launch()
      outage.toMs = Date.now() + CATCH_UP_MS
    }
  }

  #lastDue(): number[] {
    return [...this.#dueMs.values()].slice(-WAVE)
  }

  async #send(): Promise<void> {
    const { messages } = this.#options
    for (let number = 0; this.#acknowledged.size < messages; number += WAVE) {
      const wave = Array.from({ length: WAVE }, (_, i) => this.#sendOne(`m${number + i}`))
      const areStored = await Promise.all(wave)
      if (areStored.includes(false)) await sleep(100)
    }
  }

  /** Whether it was acknowledged; if not, it may be there or not. */
  async #sendOne(body: string): Promise<boolean> {
    const delayMs = this.#random.between(MIN_DELAY_MS, this.#options.maxDelayMs)
    const dueMs = Date.now() + Math.round(delayMs)
    this.#dueMs.set(body, dueMs)
    const header = {
      ...{ producerGroup: 'storm', topic: TOPIC, defaultTopic: 'TBW102', defaultTopicQueueNums: 1 },
      ...{ queueId: 0, sysFlag: 0, flag: 0, bornTimestamp: Date.now() },
      properties: Buffer.from(`TIMER_DELIVER_MS\x01${dueMs}\x02`),
    }
    try {
      const options = { body: [Buffer.from(body)], timeoutMs: SEND_TIMEOUT_MS }
      const answer = await this.#remoting.call(this.#address, SEND_MESSAGE_V2, header, options)
      if (answer.code !== responseCode.SUCCESS) return false
      this.#acknowledged.add(body)
      return true
    } catch {
      return false
    }
  }

  async #judge(): Promise<string[]> {
    const endMs = Date.now() + END_LIMIT_MS
    let found = await this.#read()
    while (this.#missing(found) > 0 && Date.now() < endMs) {
      await sleep(1_000)
      found = await this.#read()
    }
    const repeats = [...found.values()].filter((times) => times.length > 1).length
    const all = [...found].flatMap(([body, times]) => {
      return times.map((atMs) => ({ atMs, dueMs: this.#dueMs.get(body) ?? 0 }))
    })
    const early = all.filter(({ atMs, dueMs }) => atMs < dueMs).length
    const usual = all.filter(({ dueMs }) => !this.#isOut(dueMs))
    const late = usual.map(({ atMs, dueMs }) => atMs - dueMs).toSorted((a, b) => a - b)
    const p99Ms = percentile(late, 99)
    const lost = this.#missing(found)
    process.stdout.write(
      `${all.length} delivered: ${early} early, ${lost} lost, ${repeats} twice; while the broker was ` +
        `there ${late.length} were late by p50 ${percentile(late, 50)} ms, p99 ${p99Ms} ms, most ` +
        `${late.at(-1)} ms\n`,
    )
    return [
      ...(early > 0 ? [`${early} messages were early`] : []),
      ...(lost > 0 ? [`${lost} acknowledged messages were not delivered`] : []),
      ...(repeats > 0 ? [`${repeats} messages are in the log twice`] : []),
      ...(p99Ms > P99_LIMIT_MS ? [`one of a hundred was ${p99Ms} ms late or later`] : []),
    ]
  }

  #isOut(dueMs: number): boolean {
    return this.#outages.some(({ fromMs, toMs }) => dueMs > fromMs - 1_000 && dueMs < toMs)
  }

  #missing(found: ReadonlyMap<string, readonly number[]>): number {
    return [...this.#acknowledged].filter((body) => !found.has(body)).length
  }

  /** When each message was stored in its topic, as often as it is there. */
  async #read(): Promise<Map<string, number[]>> {
    const place: PullOptions = {
      ...{ remoting: this.#remoting, address: this.#address, topic: TOPIC, group: 'readers' },
    }
    const found = new Map<string, number[]>()
    for await (const { body, storeTimestamp } of messagesOf(place, 0)) {
      const times = found.get(body.toString()) ?? []
      found.set(body.toString(), [...times, storeTimestamp])
    }
    return found
  }
}

export async function verdictOnTimers(options: TimerStormOptions): Promise<Verdict> {
  const folder = mkdtempSync(join(process.env['FAULTS_FOLDER'] ?? tmpdir(), 'rockhopper-timers-'))
  const storm = new TimerStorm(options, folder, await freePort(PORTS))
  try {
    const flaws = await storm.play()
    const good = flaws.length === 0
    if (good) rmSync(folder, { recursive: true, force: true })
    const found = good ? 'none early, none lost, none twice' : flaws.join(', ')
    const summary = `${good ? 'passed' : 'failed'}: messages with times: ${storm.report}: ${found}`
    return { good, summary, text: good ? summary : `${summary}\nwhat is left is in ${folder}` }
  } catch (error) {
    storm.close()
    const summary = `failed: messages with times: ${String(error).split('\n')[0]}`
    return { good: false, summary, text: `${summary}\n${String(error)}` }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
