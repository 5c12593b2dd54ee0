/**
 * Spans of OpenTelemetry around sends and handlers, and the context of a trace (W3C `traceparent` and
 * `tracestate`, or what else the application propagates) in the properties of messages. The application
 * gives its own `@opentelemetry/api`; this library does not need one. Names of attributes are those of
 * OpenTelemetry's conventions for messaging. Owns the spans that are open.
 */
import type { Message } from '../produce/message.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { ConsumerHook, Consuming, ProducerHook, SendEnd, Sending } from './hook.ts'

type Attributes = Record<string, string | number | boolean>

/** By which a span is known elsewhere. */
interface SpanContext {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

interface SpanOptions {
  readonly kind: number
  readonly attributes: Attributes
  readonly links: { readonly context: SpanContext }[]
}

/** What is used of a span. */
export interface TelemetrySpan {
  setAttributes(attributes: Attributes): unknown
  recordException(error: Error): void
  setStatus(status: { code: number; message?: string }): unknown
  end(): void
}

/** What is used of `@opentelemetry/api`; the whole of it will do. Contexts are only handed around. */
export interface TelemetryApi {
  readonly trace: {
    getTracer(name: string): {
      startSpan(name: string, options?: SpanOptions, context?: object): TelemetrySpan
    }
    setSpan(context: object, span: TelemetrySpan): object
    getSpanContext(context: object): SpanContext | undefined
  }
  readonly context: {
    active(): object
    with(context: object, run: () => void | Promise<void>): void | Promise<void>
  }
  readonly propagation: {
    inject(context: object, carrier: Record<string, string>): void
    extract(context: object, carrier: Readonly<Record<string, string>>): object
  }
}

/** Source: enums SpanKind and SpanStatusCode of `@opentelemetry/api`. */
const PRODUCER = 3
const CONSUMER = 4
const ERROR = 2

const TRACER = 'rockhopper'

/** One object for both sides: `hooks: [openTelemetry(api)]`. */
export function openTelemetry(api: TelemetryApi): ProducerHook & ConsumerHook {
  const tracer = api.trace.getTracer(TRACER)
  const sends = new WeakMap<Sending, readonly TelemetrySpan[]>()
  const handlers = new WeakMap<Consuming, TelemetrySpan>()
  /** Of messages that were prepared, until their send begins, in the same turn. */
  let prepared: TelemetrySpan[] = []
  return {
    name: 'OpenTelemetry',
    prepare(message) {
      // A message may bring the context that it belongs to.
      const parent = api.propagation.extract(api.context.active(), message.properties ?? {})
      const options = { kind: PRODUCER, attributes: sentAttributes(message), links: [] }
      const span = tracer.startSpan(`send ${message.topic}`, options, parent)
      prepared.push(span)
      const carrier: Record<string, string> = {}
      api.propagation.inject(api.trace.setSpan(parent, span), carrier)
      return { ...message, properties: { ...message.properties, ...told(carrier) } }
    },
    beforeSend(sending) {
      sends.set(sending, prepared)
      prepared = []
    },
    afterSend(sending, end) {
      const ids = end.kind === 'sent' ? end.result?.msgId.split(',') : undefined
      for (const [at, span] of (sends.get(sending) ?? []).entries()) {
        span.setAttributes(endAttributes(end, ids?.[at]))
        endSpan(span, end.kind === 'failed', end.kind === 'failed' ? end.error : undefined)
      }
    },
    endTransaction({ message, msgId, state, fromCheck }) {
      const attributes = {
        ...common(message.topic, 'settle'),
        'messaging.message.id': msgId,
        'rocketmq.transaction_state': state,
        'rocketmq.is_from_transaction_check': fromCheck,
      }
      const parent = api.propagation.extract(api.context.active(), message.properties ?? {})
      tracer
        .startSpan(`settle ${message.topic}`, { kind: PRODUCER, attributes, links: [] }, parent)
        .end()
    },
    around(consuming, run) {
      const active = api.context.active()
      const [first, ...others] = consuming.messages
      const origins = consuming.messages.map(({ properties }) =>
        api.propagation.extract(active, properties),
      )
      // A batch belongs to no single sender: it is linked to all of them.
      const parent = others.length === 0 ? (origins[0] ?? active) : active
      const links = origins.flatMap((origin) => {
        const context = api.trace.getSpanContext(origin)
        return context === undefined || origin === parent ? [] : [{ context }]
      })
      const options = { kind: CONSUMER, attributes: handledAttributes(consuming, first), links }
      const span = tracer.startSpan(`process ${first?.topic}`, options, parent)
      handlers.set(consuming, span)
      return api.context.with(api.trace.setSpan(parent, span), run)
    },
    afterConsume(consuming, { end, error }) {
      const span = handlers.get(consuming)
      if (span !== undefined) endSpan(span, end !== 'success', error)
    },
  }
}

/** What may stand in a property: the properties of a message are not blank. */
function told(carrier: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(carrier).filter(([, value]) => value.trim() !== ''))
}

function endSpan(span: TelemetrySpan, hasFailed: boolean, error: unknown): void {
  if (error instanceof Error) span.recordException(error)
  if (hasFailed) {
    const message = error instanceof Error ? error.message : undefined
    span.setStatus(message === undefined ? { code: ERROR } : { code: ERROR, message })
  }
  span.end()
}

function common(topic: string, operation: string): Attributes {
  return {
    'messaging.system': 'rocketmq',
    'messaging.destination.name': topic,
    'messaging.operation.name': operation,
  }
}

function sentAttributes({ topic, body, tag, keys }: Message): Attributes {
  const sizeBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  return {
    ...common(topic, 'send'),
    'messaging.message.body.size': sizeBytes,
    ...(tag === undefined ? {} : { 'messaging.rocketmq.message.tag': tag }),
    ...(keys === undefined ? {} : { 'messaging.rocketmq.message.keys': [keys].flat().join(' ') }),
  }
}

function endAttributes(end: SendEnd, msgId: string | undefined): Attributes {
  if (end.kind !== 'sent' || end.result === undefined) return {}
  const { queue } = end.result
  return {
    ...(msgId === undefined ? {} : { 'messaging.message.id': msgId }),
    ...(end.brokerAddress === undefined ? {} : { 'server.address': end.brokerAddress }),
    'messaging.destination.partition.id': `${queue.brokerName}/${queue.queueId}`,
  }
}

function handledAttributes(
  { group, messages, queue }: Consuming,
  first: ReceivedMessage | undefined,
): Attributes {
  return {
    ...common(first?.topic ?? queue.topic, 'process'),
    'messaging.consumer.group.name': group,
    'messaging.destination.partition.id': `${queue.brokerName}/${queue.queueId}`,
    'messaging.batch.message_count': messages.length,
    ...(first === undefined || messages.length > 1
      ? {}
      : {
          'messaging.message.id': first.msgId,
          'messaging.rocketmq.message.retry_times': first.reconsumeTimes,
        }),
  }
}
