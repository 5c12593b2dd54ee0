/**
 * Settings kept by a name server. Source: `namesrv.md` sections 9 and 10.
 */
import { command } from '../command.ts'
import { text } from '../field.ts'

const namespace = text('namespace of the setting')
const key = text('name of the setting')

export const PUT_KV_CONFIG = command(100, 'PUT_KV_CONFIG', {
  request: { namespace, key, value: text('value of the setting') },
})

export const GET_KV_CONFIG = command(101, 'GET_KV_CONFIG', {
  request: { namespace, key },
  answer: { value: text('value of the setting') },
})

export const DELETE_KV_CONFIG = command(102, 'DELETE_KV_CONFIG', {
  request: { namespace, key },
})

/** Answer body: a table of texts. */
export const GET_KVLIST_BY_NAMESPACE = command(219, 'GET_KVLIST_BY_NAMESPACE', {
  request: { namespace },
})

/** Body: lines `key=value`. */
export const UPDATE_NAMESRV_CONFIG = command(318, 'UPDATE_NAMESRV_CONFIG')

/** Answer body: lines `key=value`. */
export const GET_NAMESRV_CONFIG = command(319, 'GET_NAMESRV_CONFIG')
