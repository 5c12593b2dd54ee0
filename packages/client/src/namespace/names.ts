/**
 * The names of topics and groups in a namespace: an application says `orders`, brokers know it as
 * `shop%orders`. Within this library names are those of the application; what goes to a server is
 * translated on its way (`translation.ts`), what comes from one where it is decoded.
 * Source: Apache class NamespaceUtil; `client.md` section 3.14. Owns nothing.
 */
import {
  COURTESY_PREFIX,
  DEAD_LETTER_PREFIX,
  isSystemTopic,
  type MessageQueue,
  RETRY_PREFIX,
  replyTopicOf,
} from '@rockhopper/protocol'

const SEPARATOR = '%'
const SYSTEM_GROUP_PREFIX = 'CID_RMQ_SYS_'
const REPLY_SUFFIX = replyTopicOf('')

export class Names {
  /** Undefined: names are the same on both sides. */
  readonly namespace: string | undefined
  readonly #prefix: string

  constructor(namespace: string | undefined) {
    this.namespace = namespace === '' ? undefined : namespace
    this.#prefix = `${namespace}${SEPARATOR}`
  }

  /** A topic or group as brokers know it. */
  full(name: string): string {
    if (this.namespace === undefined || name === '' || isCommon(name)) return name
    const { kind, rest } = parted(name)
    return rest.startsWith(this.#prefix) ? name : kind + this.#prefix + rest
  }

  /** A topic or group as the application knows it. */
  bare(name: string): string {
    if (this.namespace === undefined) return name
    const { kind, rest } = parted(name)
    return rest.startsWith(this.#prefix) ? kind + rest.slice(this.#prefix.length) : name
  }

  fullQueue(queue: MessageQueue): MessageQueue {
    return this.namespace === undefined ? queue : { ...queue, topic: this.full(queue.topic) }
  }

  bareQueue(queue: MessageQueue): MessageQueue {
    return this.namespace === undefined ? queue : { ...queue, topic: this.bare(queue.topic) }
  }
}

/** Names that all namespaces share. */
function isCommon(name: string): boolean {
  return isSystemTopic(name) || name.startsWith(SYSTEM_GROUP_PREFIX) || name.endsWith(REPLY_SUFFIX)
}

/** What a topic of retries or dead letters, or a group of locks, begins with, and what is behind. */
function parted(name: string): { readonly kind: string; readonly rest: string } {
  for (const kind of [RETRY_PREFIX, DEAD_LETTER_PREFIX, COURTESY_PREFIX]) {
    if (name.startsWith(kind)) return { kind, rest: name.slice(kind.length) }
  }
  return { kind: '', rest: name }
}

/** Without a namespace. */
export const PLAIN_NAMES = new Names(undefined)
