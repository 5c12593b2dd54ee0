/**
 * A name server, a master and a slave of it on simulated hosts. No log is copied: the slave is told of
 * a place to copy from where there is nobody, and has the messages that it was given.
 */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { namesrvConfigTable, startNamesrv } from '@rockhopper/namesrv'
import {
  defaultConfig,
  type Header,
  PULL_MESSAGE,
  pullFlag,
  SEND_MESSAGE_V2,
} from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { createWorld } from '@rockhopper/sim'

export const PORT = 10_911
export const timeoutMs = 40_000

type PullHeader = Header<typeof PULL_MESSAGE.tables.request>

export class SlaveScene {
  readonly world = createWorld(7)
  readonly nameServer = this.world.host('namesrv')
  readonly master = this.world.host('master')
  readonly slave = this.world.host('slave')
  readonly client = new RemotingClient(this.world.host('client').doors)
  readonly masterAddress = `${this.master.ip}:${PORT}`
  readonly slaveAddress = `${this.slave.ip}:${PORT}`

  async startNameServer(): Promise<void> {
    const config = { ...defaultConfig(namesrvConfigTable), bindAddress: this.nameServer.ip }
    await this.settle(startNamesrv(this.nameServer.doors, config))
  }

  async startMaster(settings = ''): Promise<void> {
    await this.#start(this.master, `brokerRole=ASYNC_MASTER\n${settings}`)
  }

  /** The slave as a master for a while, so that it has messages. */
  async fillSlave(topic: string, bodies: readonly string[]): Promise<void> {
    await this.#start(this.slave, 'brokerName=filling\nnamesrvAddr=\n')
    for (const body of bodies) await this.send(this.slaveAddress, topic, body)
    await this.advance(20_000)
    this.slave.kill()
  }

  async startSlave(settings = ''): Promise<void> {
    const nobody = `${this.world.host('nobody').ip}:1`
    const role = `brokerRole=SLAVE\nbrokerId=1\nhaMasterAddress=${nobody}\n`
    await this.#start(this.slave, role + settings)
  }

  async #start(host: SlaveScene['slave'], settings: string): Promise<void> {
    const doors = host.running ? host.doors : host.restart()
    const named = settings.includes('namesrvAddr')
    const text =
      `${settings.includes('brokerName') ? '' : 'brokerName=broker-a\n'}` +
      `brokerIP1=${host.ip}\nlistenPort=${PORT}\nstorePathRootDir=/store\n` +
      'mappedFileSizeCommitLog=1048576\n' +
      `${named ? '' : `namesrvAddr=${this.nameServer.ip}:9876\n`}${settings}`
    const { values } = readBrokerConfig(text, 'the test')
    await this.settle(startBroker(doors, completeBrokerConfig(values, doors)))
  }

  send(address: string, topic: string, body: string) {
    const header = {
      producerGroup: 'producers',
      topic,
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: 0,
      sysFlag: 0,
      bornTimestamp: this.world.clock.nowMs(),
      flag: 0,
      properties: Buffer.alloc(0),
    }
    const options = { body: [Buffer.from(body)], timeoutMs }
    return this.settle(this.client.call(address, SEND_MESSAGE_V2, header, options))
  }

  pulling(
    topic: string,
    queueOffset: number,
    given: Partial<PullHeader> & { holdMs?: number } = {},
  ) {
    const { holdMs = 0, ...rest } = given
    const header: PullHeader = {
      consumerGroup: 'consumers',
      topic,
      queueId: 0,
      queueOffset,
      maxMsgNums: 32,
      sysFlag: pullFlag.subscription | (holdMs > 0 ? pullFlag.suspend : 0),
      suspendTimeoutMillis: holdMs,
      subscription: '*',
      ...rest,
    }
    return this.client.call(this.slaveAddress, PULL_MESSAGE, header, { timeoutMs })
  }

  pull(topic: string, queueOffset: number, given: Partial<PullHeader> & { holdMs?: number } = {}) {
    return this.settle(this.pulling(topic, queueOffset, given))
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  advance(durationMs: number): Promise<void> {
    return this.world.clock.advance(durationMs)
  }
}
