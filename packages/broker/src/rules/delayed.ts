/**
 * Where a message goes that is to be delivered later: it waits under the topic of delayed messages,
 * in the queue of its level, and its properties say where it belongs.
 * Source: Apache class HookUtils (handleScheduleMessage, transformDelayLevelMessage).
 */
import {
  DELAY_TOPIC,
  type DelayLevels,
  delayOf,
  encodeProperties,
  tagsCodeOf,
} from '@rockhopper/protocol'

/** What a message is stored as. */
export interface Placement {
  readonly topic: string
  readonly queueId: number
  readonly properties: readonly Buffer[]
  readonly tagsCode: number
  /** How long the message waits, in milliseconds; absent when it does not. */
  readonly delayMs?: number
  /** Slot of time at whose end it is due; absent when it has no time of its own. */
  readonly slotMs?: number
}

/** What asks for another kind of delay, which a level overrides. */
const TIMED = ['TIMER_DELIVER_MS', 'TIMER_DELAY_SEC', 'TIMER_DELAY_MS']

/** The place of a message with these properties in a topic, or among the delayed ones. */
export function placementOf(
  topic: string,
  queueId: number,
  properties: ReadonlyMap<string, string>,
  delays: DelayLevels,
): Placement {
  const wish = Number.parseInt(properties.get('DELAY') ?? '0', 10)
  if (!(wish > 0)) {
    const bytes = Buffer.from(encodeProperties(properties))
    return { topic, queueId, properties: [bytes], tagsCode: tagsCodeOf(bytes) }
  }
  const level = Math.min(wish, delays.length)
  const known = new Map(properties)
  for (const name of TIMED) known.delete(name)
  known.set('DELAY', String(level))
  known.set('REAL_TOPIC', topic)
  known.set('REAL_QID', String(queueId))
  const bytes = Buffer.from(encodeProperties(known))
  const delayMs = delayOf(level, delays)
  return {
    ...{ topic: DELAY_TOPIC, queueId: level - 1, properties: [bytes] },
    ...{ tagsCode: tagsCodeOf(bytes), delayMs },
  }
}
