/**
 * CHECK_CLIENT_CONFIG: a client shows a subscription before it consumes, and hears what is wrong with
 * its filter. Source: Apache class ClientManageProcessor; `broker-api.md` section 6.3.
 */
import { CHECK_CLIENT_CONFIG, decodeClientCheck } from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import { shortBody } from '../rules/json-body.ts'
import type { PullFilters } from '../services/pull-filters.ts'

export function handleClientChecks(router: Router, filters: PullFilters): void {
  router.on(CHECK_CLIENT_CONFIG, (_header, { body }) => {
    const { subscriptionData } = decodeClientCheck(shortBody(body))
    if (subscriptionData !== undefined) filters.check(subscriptionData)
    return {}
  })
}
