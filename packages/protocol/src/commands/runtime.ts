/**
 * A broker's own state and settings. Source: `broker-api.md` section 12.
 */
import { command } from '../command.ts'
import { optional, text } from '../field.ts'

/** Answer body: lines `key=value`. */
export const GET_BROKER_CONFIG = command(26, 'GET_BROKER_CONFIG', {
  answer: { version: optional(text('data version of the configuration, as JSON')) },
})

/** Answer body: a table of texts. */
export const GET_BROKER_RUNTIME_INFO = command(28, 'GET_BROKER_RUNTIME_INFO')

/** Forgets the queues of which no message is left. */
export const CLEAN_EXPIRED_CONSUMEQUEUE = command(306, 'CLEAN_EXPIRED_CONSUMEQUEUE')

/** Forgets the queues of topics that do not exist any more. */
export const CLEAN_UNUSED_TOPIC = command(316, 'CLEAN_UNUSED_TOPIC')

/** Removes the files of the commit log that have expired, whatever the hour. */
export const DELETE_EXPIRED_COMMITLOG = command(329, 'DELETE_EXPIRED_COMMITLOG')
