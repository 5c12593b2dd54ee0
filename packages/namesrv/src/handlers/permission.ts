/**
 * WIPE_WRITE_PERM_OF_BROKER and ADD_WRITE_PERM_OF_BROKER: operators keep producers away from a broker,
 * and let them come again. Source: `namesrv.md` section 8.
 */
import { ADD_WRITE_PERM_OF_BROKER, WIPE_WRITE_PERM_OF_BROKER } from '@rockhopper/protocol'
import type { Connection, Router } from '@rockhopper/remoting'
import type { RouteTable } from '../route-table.ts'

export function handlePermissions(router: Router, routes: RouteTable<Connection>): void {
  router
    .on(WIPE_WRITE_PERM_OF_BROKER, ({ brokerName }) => ({
      header: { wipeTopicCount: routes.wipeWritePermission(brokerName) },
    }))
    .on(ADD_WRITE_PERM_OF_BROKER, ({ brokerName }) => ({
      header: { addTopicCount: routes.addWritePermission(brokerName) },
    }))
}
