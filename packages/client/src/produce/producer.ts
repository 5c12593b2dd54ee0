/**
 * The producer that applications use: it builds its parts, starts and closes them, and bounds what
 * is in flight. How a message is made is in `draft.ts`, how it is delivered in `sender.ts`.
 */
import { EventEmitter } from 'node:events'
import { type HeartbeatData, PUSH_REPLY_MESSAGE_TO_CLIENT } from '@rockhopper/protocol'
import { Router } from '@rockhopper/remoting'
import { newClientId, newUniqueKeys } from '../client-id.ts'
import type { BrokerLink } from '../cluster/broker-link.ts'
import { Cluster } from '../cluster/cluster.ts'
import { Heartbeats } from '../cluster/heartbeats.ts'
import { MASTER_ID } from '../cluster/routes.ts'
import { type ProducerConfig, type ProducerOptions, producerConfig } from '../config.ts'
import { badMessage, badOption, ClientError } from '../errors.ts'
import { unlessAborted } from '../give-up.ts'
import type { HookFailure } from '../hooks/hook.ts'
import { SendObservers } from '../hooks/send-observers.ts'
import type { EndTold, SendingAs } from '../hooks/send-watch.ts'
import type { Names } from '../namespace/names.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { ReceivedReply } from '../request-reply/received-reply.ts'
import { Replier, type ReplyOptions } from '../request-reply/replier.ts'
import { ReplyWays } from '../request-reply/reply-ways.ts'
import { Requests } from '../request-reply/requests.ts'
import { AutoBatch } from './auto-batch.ts'
import { BrokerFaults } from './broker-faults.ts'
import type { Message, SendOptions, SendResult } from './message.ts'
import { Parcels, withPairs } from './parcel.ts'
import { PublishTable } from './publish-table.ts'
import { readRecallHandle, recallMessage } from './recall.ts'
import { Room } from './room.ts'
import { destinationOf, type Order, type Parcel, Sender } from './sender.ts'
import { asHalf, type LocalState, type TransactionOptions } from './transactions.ts'

/** What a producer tells those who listen. */
export interface ProducerEvents {
  /** An attempt failed, and the message goes to another broker, or to the same one again. */
  retry: [attempt: { topic: string; brokerName: string; error: unknown }]
  /** The route of a topic that was sent to is another one now. */
  routeChanged: [topic: string]
  /**
   * The listener of a transaction threw, or answered with no verdict: nobody knows what became of the
   * transaction, and the broker asks.
   */
  listenerFailed: [failure: { during: 'execute' | 'check'; msgId: string; error: unknown }]
  /** A reply came for which nobody waited any more: its request had been given up. */
  lateReply: [reply: ReceivedReply]
  /** The broker could not be told how a transaction ended, and will ask. */
  endLost: [end: { msgId: string; state: LocalState; error: unknown }]
  /** A hook threw where that changes nothing. */
  hookFailed: [failure: HookFailure]
}

const NO_OPTIONS: SendOptions = {}

type State = 'new' | 'starting' | 'started' | 'closed'

export class DefaultProducer extends EventEmitter<ProducerEvents> {
  /** The name under which brokers know this producer. */
  readonly clientId: string
  readonly #config: ProducerConfig
  readonly #cluster: Cluster
  readonly #heartbeats: Heartbeats
  readonly #publish: PublishTable
  readonly #parcels: Parcels
  readonly #sender: Sender
  readonly #room: Room
  readonly #faults: BrokerFaults | undefined
  readonly #observers: SendObservers
  readonly #requests: Requests
  readonly #replyWays: ReplyWays
  readonly #replier: Replier
  readonly #carrier: Pick<Sender, 'deliver'>
  #state: State = 'new'
  #closing: Promise<void> | undefined

  /** Throws `ClientError` BAD_OPTION. Nothing is opened before `start`. */
  constructor(options: ProducerOptions) {
    super()
    const config = producerConfig(options)
    const { host } = config
    this.#config = config
    this.clientId = newClientId(host)
    this.#requests = new Requests({
      clock: host.clock,
      random: host.random,
      clientId: this.clientId,
      maxOpen: config.maxOpenRequests,
      onLate: (reply) => this.emit('lateReply', reply),
    })
    this.#cluster = new Cluster({
      host,
      nameServers: config.nameServers,
      serialization: config.serialization,
      ...{ names: config.names, namespaceV2: config.namespaceV2 },
      router: this.serve(new Router(host.logger)),
      onRouteChanged: (topic) => this.#followRoute(topic),
      onConnectionClosed: () => this.#heartbeats.soon(),
    })
    this.#heartbeats = new Heartbeats({
      host,
      remoting: this.#cluster.remoting,
      targets: () => this.#masters(),
      content: () => this.#heartbeat(),
    })
    this.#publish = new PublishTable(this.#cluster, host.random, config)
    this.#replyWays = new ReplyWays({
      host,
      cluster: this.#cluster,
      heartbeats: this.#heartbeats,
      find: (topic) => this.#publish.find(topic),
    })
    this.#replier = new Replier({
      host,
      cluster: this.#cluster,
      group: config.group,
      rules: config,
    })
    const keys = newUniqueKeys(host)
    this.#parcels = new Parcels({ ...config, clock: host.clock, keys, rules: config })
    this.#observers = new SendObservers({
      ...{ config, keys, cluster: this.#cluster },
      onHookFailed: (failure) => this.emit('hookFailed', failure),
    })
    this.#room = new Room(host.clock, {
      maxCount: config.maxInFlight,
      maxBytes: config.maxInFlightBytes,
    })
    if (config.avoidSlowBrokers) {
      const probe = config.probeBrokers ? (name: string) => this.#publish.probe(name) : undefined
      this.#faults = new BrokerFaults({ clock: host.clock, logger: host.logger, probe })
    }
    this.#sender = new Sender({
      clock: host.clock,
      publish: this.#publish,
      room: this.#room,
      retries: config.retries,
      attemptTimeoutMs: config.attemptTimeoutMs,
      retryLessSafe: config.retryLessSafe,
      retryResponseCodes: config.retryResponseCodes,
      faults: this.#faults,
      onRetry: (attempt, topic) => this.emit('retry', { topic, ...attempt }),
      gate: this.#observers.gate,
    })
    this.#carrier = config.autoBatch ? this.#autoBatch() : this.#sender
  }

  /** Messages in flight: handed to `send` or its sisters and not yet answered. */
  get inFlight(): number {
    return this.#room.count
  }

  /** Requests that wait for their replies. */
  get openRequests(): number {
    return this.#requests.open
  }

  /** Replies that came when nobody waited for them any more, since the start. */
  get lateReplies(): number {
    return this.#requests.lateReplies
  }

  /** Records of the message trace that did not reach the trace topic, since the start. */
  get lostTraces(): number {
    return this.#observers.lostTraces
  }

  /**
   * Finds a name server. Rejects with `ClientError` NAME_SERVER_UNREACHABLE; `start` may then be
   * called again. Which topics are sent to need not be known: their routes are found when needed.
   */
  async start(): Promise<void> {
    if (this.#state === 'closed') throw closed()
    if (this.#state !== 'new') throw badOption('the producer was started before', 'start once')
    this.#state = 'starting'
    try {
      await this.#cluster.checkNameServers()
    } catch (error) {
      if (this.#closing === undefined) this.#state = 'new'
      throw error
    }
    if (this.#closing !== undefined) throw closed()
    this.#cluster.start()
    this.#heartbeats.start()
    this.#faults?.start()
    this.#state = 'started'
  }

  /**
   * Sends one message and waits until the broker has stored it. Failed attempts are repeated on
   * another broker, so that in rare cases a message is stored twice. Rejects with `ClientError`, or
   * with the reason of `options.signal`.
   */
  send(message: Message, options: SendOptions = NO_OPTIONS): Promise<SendResult> {
    const { watch } = this.#observers
    if (watch.isIdle) return this.#send(message, options)
    return watch.around([message], 'answered', ([prepared = message]) =>
      this.#send(prepared, options),
    )
  }

  #send(message: Message, options: SendOptions): Promise<SendResult> {
    try {
      const order = this.#order(this.#parcels.of(message), message, options)
      this.#room.enter(order.parcel.sizeBytes)
      return this.#launch(order)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The same for those who do not wait for each message: at most `maxInFlight` messages and
   * `maxInFlightBytes` are in flight. Beyond that a send waits for room, and its time runs
   * (`whenFull: 'wait'`), or rejects at once with TOO_MANY_IN_FLIGHT. Await `room()` before a send
   * to read no faster than you can send.
   */
  sendAsync(message: Message, options: SendOptions = NO_OPTIONS): Promise<SendResult> {
    const { watch } = this.#observers
    if (watch.isIdle) return this.#sendAsync(message, options)
    return watch.around([message], 'answered', ([prepared = message]) =>
      this.#sendAsync(prepared, options),
    )
  }

  #sendAsync(message: Message, options: SendOptions): Promise<SendResult> {
    try {
      const order = this.#order(this.#parcels.of(message), message, options)
      if (this.#room.tryEnter(order.parcel.sizeBytes)) return this.#launch(order)
      return this.#launchLater(order)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Calls off a message that waits for its time, by the `recallHandle` of its `SendResult`. Resolves
   * with the unique key of the message when its broker has taken note; rejects with `ClientError`, also
   * when the message was due before.
   */
  async recall(topic: string, recallHandle: string): Promise<string> {
    if (this.#state !== 'started') throw this.#notRunning()
    const handle = readRecallHandle(topic, recallHandle, this.names)
    if (this.#publish.get(topic) === undefined) await this.#publish.find(topic)
    const { group, sendTimeoutMs } = this.#config
    return recallMessage(this.#cluster.link(handle.brokerName), topic, recallHandle, {
      ...{ group, timeoutMs: sendTimeoutMs },
    })
  }

  /**
   * Sends a message as a request, and resolves with the reply of a consumer. `timeoutMs` counts from
   * the call to the reply; at most `maxOpenRequests` wait at a time. Rejects with `ClientError`:
   * NO_REPLY when the request was stored but nobody replied in time, TOO_MANY_IN_FLIGHT, or as `send`
   * does.
   */
  request(message: Message, options: SendOptions = NO_OPTIONS): Promise<ReceivedReply> {
    const { watch } = this.#observers
    const watched = watch.isIdle ? undefined : watch.begin([message], 'answered')
    const [prepared = message] = watched?.messages ?? []
    try {
      const order = this.#order(this.#parcels.of(prepared), prepared, options)
      const send = async (pairs: Buffer): Promise<SendResult> => {
        const parcel = withPairs(order.parcel, pairs)
        // A broker that is slow to hear of us must not cost more than half of the time.
        await this.#replyWays.prepare(message.topic, order.timeoutMs / 2)
        this.#room.enter(parcel.sizeBytes)
        return await this.#launch({ ...order, parcel })
      }
      return this.#requests.ask(
        { ...order, topic: message.topic },
        (pairs) => watched?.until(send(pairs)) ?? send(pairs),
      )
    } catch (error) {
      const refused = Promise.reject(error)
      return watched?.until(refused) ?? refused
    }
  }

  /**
   * Replies to a message that was sent as a request, and resolves when the client that asked has the
   * reply. Rejects with `ClientError` BAD_OPTION when the message is no request, and BROKER_REFUSED
   * when that client is gone.
   */
  async reply(
    request: ReceivedMessage,
    body: Uint8Array | string,
    options: ReplyOptions = {},
  ): Promise<void> {
    if (this.#state !== 'started') throw this.#notRunning()
    await this.#replier.reply(request, body, options)
  }

  /** Resolves when `sendAsync` has room for another message. */
  async room(): Promise<void> {
    await this.#room.available()
  }

  /**
   * Hands one message to a connection and waits for no answer: nobody learns whether it arrived.
   * Rejects with `ClientError` when there is no connection. `options.signal` has no effect.
   */
  async sendOneway(message: Message, options: SendOptions = NO_OPTIONS): Promise<void> {
    await this.#watched([message], 'oneway', async ([prepared = message]) => {
      const order = this.#order(this.#parcels.of(prepared), prepared, options)
      this.#room.enter(order.parcel.sizeBytes)
      await this.#sender.hand(order)
      return undefined
    })
  }

  /**
   * Sends several messages of one topic with one request: all are stored, one behind the other, or
   * none. Together they may be `maxMessageBytes` long (`splitBatch` cuts what is longer); they are not
   * compressed and have no delays.
   * A selector gets the first message.
   */
  async sendBatch(
    messages: readonly Message[],
    options: SendOptions = NO_OPTIONS,
  ): Promise<SendResult> {
    return await this.#watched(messages, 'answered', async (prepared) => {
      const [first] = prepared
      if (first === undefined) throw badMessage('a batch is empty', 'send at least one message')
      const order = this.#order(this.#parcels.ofBatch(first, prepared), first, options)
      this.#room.enter(order.parcel.sizeBytes)
      return await this.#launch(order)
    })
  }

  /**
   * Takes no more messages, waits for the answers of those in flight and for the replies to requests,
   * then leaves the cluster.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Names what brokers may ask of this kind of producer. */
  protected serve(router: Router): Router {
    return router.on(PUSH_REPLY_MESSAGE_TO_CLIENT, (header, { body }) => {
      this.#requests.arrived(header, body)
      return {}
    })
  }

  /** Sends the first half of a transaction. Rejects as `send` does. */
  protected sendHalf(message: Message, options: TransactionOptions): Promise<SendResult> {
    const group = this.names.full(this.#config.group)
    return this.#watched([message], 'half', async ([prepared = message]) => {
      const half = asHalf(this.#parcels.of(prepared), prepared, group, options)
      const order = this.#order(half, prepared, options)
      this.#room.enter(half.sizeBytes)
      return await this.#launch(order)
    })
  }

  /** Sends with hooks around it, if there are any. */
  #watched<T extends SendResult | undefined>(
    messages: readonly Message[],
    as: SendingAs,
    send: (prepared: readonly Message[]) => Promise<T>,
  ): Promise<T> {
    const { watch } = this.#observers
    return watch.isIdle ? send(messages) : watch.around(messages, as, send)
  }

  /** Tells hooks how a transaction ended. */
  protected tellEnd(end: EndTold, brokerName: string): void {
    this.#observers.watch.endTransaction(end, brokerName)
  }

  protected get names(): Names {
    return this.#config.names
  }

  protected linkTo(brokerName: string): BrokerLink {
    return this.#cluster.link(brokerName)
  }

  /** Finds the brokers that take new topics, and tells them of this producer before it sends. */
  protected meetBrokers(): void {
    const { host, newTopicTemplate } = this.#config
    this.#cluster.findRoute(newTopicTemplate).catch((error: unknown) => {
      const sentence =
        'No broker knows this producer before it sends: until then none can ask it about transactions.'
      if (this.#state === 'started') host.logger.warn(sentence, { error })
    })
  }

  async #close(): Promise<void> {
    const wasStarted = this.#state === 'started'
    this.#state = 'closed'
    await this.#requests.idle()
    await this.#room.idle()
    await this.#observers.close()
    await this.#faults?.stop()
    if (wasStarted) await this.#heartbeats.stop({ producerGroup: this.#config.group })
    await this.#cluster.close()
  }

  #autoBatch(): AutoBatch {
    const { host, autoBatchBytes, autoBatchHoldMs, maxMessageBytes } = this.#config
    return new AutoBatch({
      clock: host.clock,
      publish: this.#publish,
      sender: this.#sender,
      room: this.#room,
      maxBytes: Math.min(autoBatchBytes, maxMessageBytes),
      holdMs: autoBatchHoldMs,
    })
  }

  /** Delivers an order that has taken its room, which is given back when it is over. */
  #launch(order: Order): Promise<SendResult> {
    const { signal } = order
    const work = this.#carrier.deliver(order)
    return signal === undefined ? work : unlessAborted(work, signal)
  }

  async #launchLater(order: Order): Promise<SendResult> {
    if (this.#config.whenFull === 'fail') throw this.#room.full()
    const { signal, startMs, timeoutMs, parcel } = order
    const entered = this.#room.enterLater(parcel.sizeBytes, startMs + timeoutMs)
    if (signal === undefined) await entered
    else {
      await unlessAborted(entered, signal).catch((error: unknown) => {
        // Who gives up while waiting gives its room back when it comes.
        entered.then(
          () => this.#room.leave(parcel.sizeBytes),
          () => undefined,
        )
        throw error
      })
    }
    return await this.#launch(order)
  }

  #order(parcel: Parcel, message: Message, options: SendOptions): Order {
    if (this.#state !== 'started') throw this.#notRunning()
    return {
      parcel,
      startMs: this.#config.host.clock.monotonicMs(),
      timeoutMs: timeoutOf(options) ?? this.#config.sendTimeoutMs,
      destination: destinationOf(message, options, this.#config.host.random),
      signal: options.signal,
      holdsRoom: true,
    }
  }

  #notRunning(): ClientError {
    if (this.#state === 'closed') return closed()
    return new ClientError('NOT_STARTED', 'the producer was not started', {
      retryable: false,
      hint: 'await start() first',
    })
  }

  #followRoute(topic: string): void {
    this.#publish.renew(topic)
    this.#observers.followRoute(topic)
    this.#heartbeats.soon()
    this.emit('routeChanged', topic)
  }

  #masters(): string[] {
    return [...this.#cluster.addresses.values()]
      .map((replicas) => replicas.get(MASTER_ID))
      .filter((address) => address !== undefined)
  }

  #heartbeat(): HeartbeatData {
    return {
      clientID: this.clientId,
      producerDataSet: [{ groupName: this.#config.group }],
      consumerDataSet: [],
      heartbeatFingerprint: 0,
      withoutSub: false,
    }
  }
}

function timeoutOf({ timeoutMs }: SendOptions): number | undefined {
  if (timeoutMs === undefined || (timeoutMs > 0 && timeoutMs < Number.POSITIVE_INFINITY)) {
    return timeoutMs
  }
  throw badOption(`timeoutMs of a send is ${timeoutMs}`, 'use milliseconds above 0')
}

function closed(): ClientError {
  return new ClientError('CLOSED', 'the producer was closed', {
    retryable: false,
    hint: 'make a new one',
  })
}
