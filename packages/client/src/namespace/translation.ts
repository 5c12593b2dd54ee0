/**
 * Puts names into their namespace in all that is asked of servers: in header fields, and in the JSON
 * of the few bodies that hold names. A namespace of the second kind is said beside the names, which
 * stay as they are. Source: Apache classes ClientConfig and NamespaceRpcHook; `client.md` sections
 * 1.4 and 3.14. Owns nothing.
 */
import {
  CHECK_CLIENT_CONFIG,
  type Command,
  HEART_BEAT,
  LOCK_BATCH_MQ,
  UNLOCK_BATCH_MQ,
} from '@rockhopper/protocol'
import type { Asked, Translation } from '@rockhopper/remoting'
import type { Names } from './names.ts'

/** Fields of headers that hold names. */
const NAME_FIELDS = [
  ...['topic', 'defaultTopic', 'originTopic'],
  ...['group', 'consumerGroup', 'producerGroup'],
]

const NAME_IN_JSON = /("(?:topic|group|groupName|consumerGroup|producerGroup)"\s*:\s*")([^"\\]*)"/g

const WITH_NAMES: ReadonlySet<number> = new Set(
  [HEART_BEAT, LOCK_BATCH_MQ, UNLOCK_BATCH_MQ, CHECK_CLIENT_CONFIG].map(({ code }) => code),
)

/** Undefined when nothing has to be translated. */
export function translationOf(
  names: Names,
  namespaceV2: string | undefined,
): Translation | undefined {
  const isNamed = names.namespace !== undefined
  if (!isNamed && namespaceV2 === undefined) return undefined
  const marks = namespaceV2 === undefined ? undefined : { nsd: 'true', ns: namespaceV2 }
  return {
    request: (command, asked) => {
      const extra = marks === undefined ? asked.extra : { ...asked.extra, ...marks }
      if (!isNamed) return { ...asked, extra }
      return {
        header: fullHeader(names, asked.header),
        extra,
        body: fullBody(names, command, asked),
      }
    },
    answer: (command, body) => {
      if (!isNamed || command.code !== LOCK_BATCH_MQ.code) return body
      return replaced(body, (name) => names.bare(name))
    },
  }
}

/** JSON that holds names, as servers know them. */
export function fullJson(names: Names, body: Buffer): Buffer {
  return names.namespace === undefined ? body : replaced(body, (name) => names.full(name))
}

function fullHeader(names: Names, header: Asked['header']): Asked['header'] {
  const full: Record<string, unknown> = { ...header }
  for (const field of NAME_FIELDS) {
    const name = full[field]
    if (typeof name === 'string') full[field] = names.full(name)
  }
  return full
}

function fullBody(names: Names, { code }: Command, { body }: Asked): Asked['body'] {
  if (body === undefined || !WITH_NAMES.has(code)) return body
  return body.map((part) => fullJson(names, Buffer.from(part)))
}

function replaced(body: Buffer, change: (name: string) => string): Buffer {
  const text = body.toString()
  return Buffer.from(
    text.replace(NAME_IN_JSON, (_, key: string, name: string) => `${key}${change(name)}"`),
  )
}
