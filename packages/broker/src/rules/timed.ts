/**
 * Where a message goes that has a time of its own: it waits under the topic of timed messages, and its
 * properties say when it is due and where it belongs. Times are those of slots, `timerPrecisionMs`
 * apart: what is due within a slot is delivered when the slot is over.
 * Source: Apache classes HookUtils (transformTimerMessage), TimerMessageStore (doEnqueue).
 */
import {
  encodeProperties,
  findProperty,
  MAX_PROPERTIES_BYTES,
  TIMER_TOPIC,
  tagsCodeOf,
} from '@rockhopper/protocol'
import type { Placement } from './delayed.ts'

/** The settings that say how timed messages wait. */
export interface TimerRules {
  readonly isEnabled: boolean
  /** Length of a slot. */
  readonly precisionMs: number
  readonly maxDelayMs: number
  /** A message that waits longer is put behind the others again meanwhile. */
  readonly rollWindowMs: number
}

export type TimedPlacement =
  | { readonly kind: 'waits'; readonly place: Placement }
  /** It has no time, or one that is past. */
  | { readonly kind: 'at-once' }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'illegal'; readonly reason: string }

const WHOLE_NUMBER = /^[+-]?\d{1,15}$/

/** For what is added when it is delivered: the times at which it was taken and let go. */
const ROOM_BYTES = 128

/** Names a message that is to be dropped: `topic+uniqueKey`. */
const RECALLED = 'TIMER_DEL_UNIQKEY'

/** The place of a message with these properties, none of which is a level of delay. */
export function timedPlacementOf(
  topic: string,
  queueId: number,
  properties: ReadonlyMap<string, string>,
  rules: TimerRules,
  nowMs: number,
): TimedPlacement {
  const wish = wishOf(properties, nowMs)
  if (wish === undefined || topic === TIMER_TOPIC) return { kind: 'at-once' }
  if (!rules.isEnabled) return { kind: 'disabled' }
  const { dueMs, name } = wish
  if (Number.isNaN(dueMs)) return illegal(`the property ${name} of the message is no number`)
  if (dueMs <= nowMs) {
    if (!properties.has(RECALLED)) return { kind: 'at-once' }
    return illegal('the message that is to be called off was due before')
  }
  if (dueMs - nowMs > rules.maxDelayMs) {
    const delay = `the message is due in ${dueMs - nowMs} ms`
    return illegal(`${delay}, timerMaxDelaySec allows ${rules.maxDelayMs} ms`)
  }
  const slotMs = slotOf(dueMs, rules.precisionMs)
  const known = new Map(properties)
  known.set('TIMER_OUT_MS', String(slotMs))
  known.set('REAL_TOPIC', topic)
  known.set('REAL_QID', String(queueId))
  const bytes = Buffer.from(encodeProperties(known))
  if (bytes.length + ROOM_BYTES > MAX_PROPERTIES_BYTES) {
    return illegal(`its properties take ${bytes.length} bytes, which leaves none for its times`)
  }
  const tagsCode = tagsCodeOf(bytes)
  return {
    kind: 'waits',
    place: { topic: TIMER_TOPIC, queueId: 0, properties: [bytes], tagsCode, slotMs },
  }
}

/** When a message is to be delivered; undefined when it does not say so, or has waited before. */
function wishOf(properties: ReadonlyMap<string, string>, nowMs: number) {
  if (properties.has('TIMER_OUT_MS')) return undefined
  const wishes: readonly [string, number, number][] = [
    ['TIMER_DELAY_SEC', nowMs, 1_000],
    ['TIMER_DELAY_MS', nowMs, 1],
    ['TIMER_DELIVER_MS', 0, 1],
  ]
  for (const [name, fromMs, unitMs] of wishes) {
    const value = properties.get(name)
    if (value === undefined) continue
    return { name, dueMs: WHOLE_NUMBER.test(value) ? fromMs + Number(value) * unitMs : Number.NaN }
  }
  return undefined
}

function illegal(reason: string): TimedPlacement {
  return { kind: 'illegal', reason }
}

/** The start of the slot that ends at a time or, where none does, as the first one after it. */
function slotOf(dueMs: number, precisionMs: number): number {
  return Math.ceil(dueMs / precisionMs) * precisionMs - precisionMs
}

/** What a message that waits asks of its broker. */
export interface Wait {
  /** Slot at whose end something is to be done with it. */
  readonly wakeMs: number
  /** Whether it is to be put behind the others then, as it is not due yet. */
  readonly isRoll: boolean
  /** Whether it calls another one off, and is never delivered. */
  readonly isRecall: boolean
  readonly realTopic: string
}

/** Undefined when the record does not say when and where to it is to be delivered. */
export function waitOf(
  record: { readonly properties: Buffer; readonly storeTimestamp: number },
  { precisionMs, rollWindowMs }: TimerRules,
): Wait | undefined {
  const slot = findProperty(record.properties, 'TIMER_OUT_MS')
  const realTopic = findProperty(record.properties, 'REAL_TOPIC')
  if (slot === undefined || !WHOLE_NUMBER.test(slot) || realTopic === undefined) return undefined
  const slotMs = Number(slot)
  const isRecall = findProperty(record.properties, RECALLED) !== undefined
  const storedMs = Math.floor(record.storeTimestamp / precisionMs) * precisionMs
  const beyondMs = slotMs - storedMs - rollWindowMs
  if (beyondMs < 0) return { wakeMs: slotMs, isRoll: false, isRecall, realTopic }
  // Nothing is put behind the others for a short rest of its time.
  const restMs = beyondMs < rollWindowMs / 3 ? rollWindowMs / 2 : rollWindowMs
  const wakeMs = storedMs + Math.floor(restMs / precisionMs) * precisionMs
  return { wakeMs, isRoll: true, isRecall, realTopic }
}

/** What a message is called off by. */
export function recallKey(topic: string, uniqueKey: string): string {
  return `${topic}+${uniqueKey}`
}

/** What the message calls off, if it does. */
export function recalledBy(properties: Buffer): string | undefined {
  return findProperty(properties, RECALLED)
}
