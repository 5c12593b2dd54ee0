/**
 * PUT_KV_CONFIG, GET_KV_CONFIG, DELETE_KV_CONFIG and GET_KVLIST_BY_NAMESPACE: settings that operators
 * keep here. Source: Apache class DefaultRequestProcessor; `namesrv.md` section 9.
 */
import {
  DELETE_KV_CONFIG,
  encodeKvTable,
  GET_KV_CONFIG,
  GET_KVLIST_BY_NAMESPACE,
  PUT_KV_CONFIG,
  responseCode,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import type { KvNamespaces } from '../kv-table.ts'
import { onDisk } from '../rules/on-disk.ts'

export function handleSettings(router: Router, settings: KvNamespaces): void {
  router
    .on(PUT_KV_CONFIG, async ({ namespace, key, value }) => {
      await onDisk('the setting', settings.put(namespace, key, value))
      return {}
    })
    .on(GET_KV_CONFIG, ({ namespace, key }) => {
      const value = settings.get(namespace, key)
      if (value !== undefined) return { header: { value } }
      throw notFound(`No config item, Namespace: ${namespace} Key: ${key}`)
    })
    .on(DELETE_KV_CONFIG, async ({ namespace, key }) => {
      await onDisk('the setting', settings.delete(namespace, key))
      return {}
    })
    .on(GET_KVLIST_BY_NAMESPACE, ({ namespace }) => {
      const table = settings.list(namespace)
      if (table !== undefined) return { body: [encodeKvTable(table)] }
      throw notFound(`No config item, Namespace: ${namespace}`)
    })
}

function notFound(remark: string): Refusal {
  return new Refusal(responseCode.QUERY_NOT_FOUND, remark)
}
