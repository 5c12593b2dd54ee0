/** Spans of OpenTelemetry go from the sender over the properties of a message to its handler. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { openTelemetry, type TelemetryApi, type TelemetrySpan } from '@rockhopper/client'
import { decodeProperties } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { failure, Scene, TOPIC } from './scene.ts'

interface Told {
  readonly name: string
  readonly id: string
  readonly parentId: string | undefined
  readonly kind: number | undefined
  readonly links: readonly string[]
  attributes: Record<string, unknown>
  status: number | undefined
  readonly errors: unknown[]
  ended: number
}

class Context {
  readonly spanId: string | undefined

  constructor(spanId: string | undefined) {
    this.spanId = spanId
  }
}

/** As small as a tracer can be: contexts with the id of a span, written as W3C has it. */
class Telemetry implements TelemetryApi {
  readonly spans: Told[] = []
  readonly #current = new AsyncLocalStorage<Context>()

  readonly trace: TelemetryApi['trace'] = {
    getTracer: () => ({
      startSpan: (name, options, context) => {
        const id = String(this.spans.length + 1).padStart(16, '0')
        const parentId = context instanceof Context ? context.spanId : undefined
        const links = options?.links.map((link) => link.context.spanId) ?? []
        const { kind, attributes = {} } = options ?? {}
        const span = { name, id, parentId, kind, links, attributes: { ...attributes } }
        const told: Told = { ...span, status: undefined, errors: [], ended: 0 }
        this.spans.push(told)
        return Object.assign(spanOf(told), { id })
      },
    }),
    setSpan: (_context, span) => new Context('id' in span ? String(span.id) : undefined),
    getSpanContext: (context) =>
      context instanceof Context && context.spanId !== undefined
        ? { traceId: 'f'.repeat(32), spanId: context.spanId, traceFlags: 1 }
        : undefined,
  }

  readonly context: TelemetryApi['context'] = {
    active: () => this.#current.getStore() ?? new Context(undefined),
    with: (context, run) => this.#current.run(context as Context, run),
  }

  readonly propagation: TelemetryApi['propagation'] = {
    inject: (context, carrier) => {
      const { spanId = '' } = context as Context
      carrier['traceparent'] = `00-${'f'.repeat(32)}-${spanId}-01`
      carrier['tracestate'] = ' '
    },
    extract: (context, { traceparent }) =>
      traceparent === undefined ? context : new Context(traceparent.split('-')[2]),
  }
}

function spanOf(told: Told): TelemetrySpan {
  return {
    setAttributes: (attributes) => {
      told.attributes = { ...told.attributes, ...attributes }
    },
    recordException: (error) => void told.errors.push(error),
    setStatus: ({ code }) => {
      told.status = code
    },
    end: () => {
      told.ended++
    },
  }
}

describe('the hook of OpenTelemetry', () => {
  test('hands the span of a send to the handler, which runs within its own', async () => {
    const scene = await Scene.open({ queues: 1 })
    const telemetry = new Telemetry()
    const hook = openTelemetry(telemetry)
    const producer = await scene.startedProducer({ hooks: [hook] })
    const message = { topic: TOPIC, body: 'hello', tag: 'red', properties: { own: 'x' } }
    const { msgId } = await scene.run(producer.send(message))
    let within: object | undefined
    const consumer = scene.consumer({ hooks: [hook] }).subscribe(TOPIC, '*', async () => {
      await scene.pause('consumer', 5)
      within = telemetry.context.active()
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(1_000)
    const [send, process] = telemetry.spans
    expect(send).toMatchObject({ name: 'send orders', kind: 3, parentId: undefined, ended: 1 })
    expect(send?.attributes).toEqual({
      'messaging.system': 'rocketmq',
      'messaging.destination.name': TOPIC,
      'messaging.operation.name': 'send',
      'messaging.message.body.size': 5,
      'messaging.rocketmq.message.tag': 'red',
      'messaging.message.id': msgId,
      'messaging.destination.partition.id': 'broker-a/0',
      'server.address': scene.broker().address,
    })
    expect(process).toMatchObject({ name: 'process orders', kind: 4, parentId: send?.id, ended: 1 })
    expect(process?.status).toBeUndefined()
    expect(within).toEqual(new Context(process?.id))
    const stored = decodeProperties(scene.broker().stored[0]?.properties ?? '')
    expect(stored.get('traceparent')).toBe(`00-${'f'.repeat(32)}-${send?.id}-01`)
    expect([stored.get('own'), stored.has('tracestate')]).toEqual(['x', false])
  })

  test('has a span for each message of a batch, and links the handler of a batch to them', async () => {
    const scene = await Scene.open({ queues: 1 })
    const telemetry = new Telemetry()
    const hook = openTelemetry(telemetry)
    const producer = await scene.startedProducer({ hooks: [hook] })
    await scene.run(producer.sendBatch(['a', 'b'].map((body) => ({ topic: TOPIC, body }))))
    const consumer = scene.consumer({ hooks: [hook] }).subscribe(TOPIC)
    consumer.onMessages(() => undefined)
    await scene.run(consumer.start())
    await scene.world.clock.advance(1_000)
    const [first, second, batch] = telemetry.spans
    expect(telemetry.spans.map(({ ended }) => ended)).toEqual([1, 1, 1])
    expect(batch).toMatchObject({ parentId: undefined, links: [first?.id, second?.id] })
  })

  test('is a child of what is active, or of what the message says', async () => {
    const scene = await Scene.open({ queues: 1 })
    const telemetry = new Telemetry()
    const producer = await scene.startedProducer({ hooks: [openTelemetry(telemetry)] })
    const active = new Context('00000000000000aa')
    telemetry.context.with(active, async () => {
      await producer.send({ topic: TOPIC, body: 'a' })
    })
    const traceparent = `00-${'f'.repeat(32)}-00000000000000bb-01`
    await scene.run(producer.send({ topic: TOPIC, body: 'b', properties: { traceparent } }))
    const parents = telemetry.spans.map(({ parentId }) => parentId)
    expect(parents).toEqual(['00000000000000aa', '00000000000000bb'])
  })

  test('says that a send or a handler failed, and why', async () => {
    const scene = await Scene.open({ queues: 1 })
    const telemetry = new Telemetry()
    const hook = openTelemetry(telemetry)
    const producer = await scene.startedProducer({ hooks: [hook], retries: 0 })
    scene.broker().script.onSend = () => ({ code: 13, remark: 'illegal' })
    const refused = await scene.run(failure(producer.send({ topic: TOPIC, body: 'a' })))
    scene.broker().put(TOPIC, 0, 'b')
    const boom = new Error('no')
    const consumer = scene.consumer({ hooks: [hook] }).subscribe(TOPIC, '*', () => {
      throw boom
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(1_000)
    const told = telemetry.spans.map(({ status, errors, ended }) => [status, errors, ended])
    expect(told).toEqual([
      [2, [refused], 1],
      [2, [boom], 1],
    ])
  })
})
