/** A broker, and a producer of messages that have times of their own. */
import { RECALL_MESSAGE } from '@rockhopper/protocol'
import { DelayedScene } from './delayed-scene.ts'
import { timeoutMs } from './scene.ts'

/** Size of a file of the timer log that is left for Apache's broker. */
export const TIMER_LOG_BYTES = 1_048_576

export class TimedScene extends DelayedScene {
  constructor(settings = '', seed = 3) {
    super(`mappedFileSizeTimerLog=${TIMER_LOG_BYTES}\n${settings}`, seed)
  }

  static override async started(settings = ''): Promise<TimedScene> {
    const scene = new TimedScene(settings)
    await scene.start()
    return scene
  }

  get nowMs(): number {
    return this.world.clock.nowMs()
  }

  /** Sends a message that waits, and returns by what it can be called off. */
  async sendTimed(body: string, wish: string, more = ''): Promise<string> {
    const answer = await this.producer.send('T', body, {}, `${wish}\x02${more}`)
    if (answer.code !== 0) throw new Error(answer.remark ?? `code ${answer.code}`)
    return answer.header().recallHandle ?? ''
  }

  recall(recallHandle: string, topic = 'T') {
    const header = { producerGroup: 'producers', topic, recallHandle }
    const { remoting } = this.producer
    return this.settle(remoting.call(this.address, RECALL_MESSAGE, header, { timeoutMs }))
  }

  /** Numbers of messages with these delays, in ms, sent together. */
  async sendWave(from: number, delaysMs: readonly number[]): Promise<string[]> {
    const bodies = delaysMs.map((_, i) => `m${from + i}`)
    const sends = bodies.map((body, i) => {
      return this.producer.sending('T', body, {}, `TIMER_DELAY_MS\x01${delaysMs[i]}\x02`)
    })
    const answers = await this.settle(Promise.all(sends))
    for (const { code, remark } of answers) if (code !== 0) throw new Error(remark)
    return bodies
  }
}
