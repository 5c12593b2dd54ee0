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
