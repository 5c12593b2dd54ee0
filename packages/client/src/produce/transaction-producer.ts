/**
 * A producer whose messages are seen only when what belongs to them was done: it sends a message that
 * nobody sees, runs the application's local transaction, and tells the broker what became of it. When
 * the broker did not hear, it asks. Source: Apache classes TransactionMQProducer,
 * DefaultMQProducerImpl; `client.md` section 3.11. Owns the transactions that are under way.
 */
import { CHECK_TRANSACTION_STATE, END_TRANSACTION, type Header } from '@rockhopper/protocol'
import type { RequestContext, Router } from '@rockhopper/remoting'
import type { ProducerOptions } from '../config.ts'
import { badOption } from '../errors.ts'
import { decodeMessages, type ReceivedMessage } from '../pull/received-message.ts'
import type { Message, SendResult } from './message.ts'
import { DefaultProducer } from './producer.ts'
import {
  answerOf,
  endOf,
  isLocalState,
  type LocalState,
  type TransactionListener,
  type TransactionOptions,
  type TransactionResult,
} from './transactions.ts'

/** Time to connect to a broker that is to hear of the end of a transaction. */
const END_TIMEOUT_MS = 3_000

/** Questions answered at a time; further ones are dropped, and the broker asks again. */
const MAX_CHECKS_AT_ONCE = 2_000

/** Region of a message that does not say. */
const DEFAULT_REGION = 'DefaultRegion'

export interface TransactionProducerOptions<A> extends ProducerOptions {
  readonly listener: TransactionListener<A>
}

export class TransactionProducer<A = unknown> extends DefaultProducer {
  readonly #listener: TransactionListener<A>
  readonly #group: string
  readonly #underWay = new Set<Promise<unknown>>()
  #checks = 0
  #isClosing = false

  /** Throws `ClientError` BAD_OPTION. Nothing is opened before `start`. */
  constructor({ listener, ...options }: TransactionProducerOptions<A>) {
    super(options)
    if (!isListener(listener)) {
      const hint = 'give it executeLocalTransaction and checkLocalTransaction'
      throw badOption('a transaction producer has no listener', hint)
    }
    this.#listener = listener
    this.#group = options.group
  }

  /** As with any producer; brokers are told of the group at once, as they may have to ask. */
  override async start(): Promise<void> {
    await super.start()
    this.meetBrokers()
  }

  /**
   * Sends a message, runs the local transaction, and tells the broker what became of it. Rejects with
   * `ClientError` when the message was not stored: then nothing was run. Where the broker did not
   * store it as safely as it was told to, nothing is run either, and it is rolled back.
   */
  sendInTransaction(
    message: Message,
    arg: A,
    options: TransactionOptions = {},
  ): Promise<TransactionResult> {
    return this.#whileOpen(this.#transact(message, arg, options))
  }

  /** Ends the transactions under way, then leaves the cluster as any producer. */
  override async close(): Promise<void> {
    this.#isClosing = true
    await Promise.allSettled(this.#underWay)
    await super.close()
  }

  protected override serve(router: Router): Router {
    return super.serve(router).on(CHECK_TRANSACTION_STATE, async (header, context) => {
      await this.#answer(header, context)
      return undefined
    })
  }

  async #transact(message: Message, arg: A, options: TransactionOptions) {
    const result = await this.sendHalf(message, options)
    const transactionId = result.transactionId ?? result.msgId
    const { msgId, status } = result
    const run = () => this.#listener.executeLocalTransaction(message, arg, transactionId)
    const localState =
      status === 'SEND_OK' ? await this.#verdict('execute', msgId, run) : 'rollback'
    await this.#end(message, result, localState)
    return { ...result, transactionId, localState }
  }

  /** Nobody waits for an answer: who was not heard is asked. */
  async #end(message: Message, result: SendResult, state: LocalState): Promise<void> {
    const { msgId, regionId, transactionId = msgId } = result
    const told = { message, msgId, transactionId, state, regionId, fromCheck: false }
    this.tellEnd(told, result.queue.brokerName)
    const header = endOf(this.#group, result, state)
    if (header === undefined) return
    try {
      const link = this.linkTo(result.queue.brokerName)
      await link.oneway(END_TRANSACTION, header, undefined, END_TIMEOUT_MS)
    } catch (error) {
      this.emit('endLost', { msgId: result.msgId, state, error })
    }
  }

  async #answer(
    header: Header<typeof CHECK_TRANSACTION_STATE.tables.request>,
    { body, connection }: RequestContext,
  ): Promise<void> {
    // The bytes are a view into what was received together: the listener may keep the message.
    const [message] = decodeMessages(Buffer.from(body), header.brokerName ?? '', this.names)
    if (message?.properties['PGROUP'] !== this.names.full(this.#group)) return
    if (this.#isClosing || this.#checks >= MAX_CHECKS_AT_ONCE) return
    this.#checks++
    const state = await this.#whileOpen(this.#check(message))
    this.#checks--
    const { msgId, properties } = message
    const regionId = properties['MSG_REGION'] ?? DEFAULT_REGION
    const transactionId = header.transactionId ?? msgId
    const told = { message, msgId, transactionId, state, regionId, fromCheck: true }
    this.tellEnd(told, header.brokerName ?? '')
    connection.oneway(END_TRANSACTION, answerOf(this.#group, header, message, state))
  }

  #check(message: ReceivedMessage): Promise<LocalState> {
    const run = () => this.#listener.checkLocalTransaction(message)
    return this.#verdict('check', message.msgId, run)
  }

  /** What the listener says; `unknown` when it fails. */
  async #verdict(
    during: 'execute' | 'check',
    msgId: string,
    run: () => LocalState | Promise<LocalState>,
  ): Promise<LocalState> {
    try {
      const state: unknown = await run()
      if (isLocalState(state)) return state
      const sentence = `the listener answered "${String(state)}": use commit, rollback or unknown`
      throw new TypeError(sentence)
    } catch (error) {
      this.emit('listenerFailed', { during, msgId, error })
      return 'unknown'
    }
  }

  async #whileOpen<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    try {
      return await work
    } finally {
      this.#underWay.delete(work)
    }
  }
}

function isListener(value: unknown): boolean {
  const listener = value as Partial<TransactionListener> | undefined
  return (
    typeof listener?.executeLocalTransaction === 'function' &&
    typeof listener.checkLocalTransaction === 'function'
  )
}
