/**
 * The name server, put together: builds, starts and closes the parts, and has no opinions.
 */
import { join } from 'node:path'
import { every, formatAddress, type Host } from '@rockhopper/host'
import { type Connection, RemotingServer, Router } from '@rockhopper/remoting'
import type { NamesrvConfig } from './config.ts'
import { DurableFiles } from './durable-files.ts'
import { handleConfig } from './handlers/config.ts'
import { handleSettings } from './handlers/kv.ts'
import { handlePermissions } from './handlers/permission.ts'
import { handleRegistrations } from './handlers/register.ts'
import { handleRoutes } from './handlers/route.ts'
import { handleTopics } from './handlers/topics.ts'
import { KvNamespaces } from './kv-table.ts'
import { LiveConfig } from './live-config.ts'
import { RouteTable } from './route-table.ts'
import { Departures } from './services/departures.ts'

export interface Namesrv {
  /** Where it listens, as `ip:port`. */
  readonly address: string
  /** Finishes the requests at hand, then closes all connections. */
  close(): Promise<void>
}

/**
 * Starts a name server. Rejects with a whole sentence when its address cannot be listened on or the
 * file of its settings cannot be read.
 */
export async function startNamesrv(host: Host, config: NamesrvConfig): Promise<Namesrv> {
  const { clock, logger } = host
  const files = new DurableFiles(host.disk)
  const atHome = (path: string): string =>
    path.startsWith('~/') ? join(host.machine.homeDirectory, path.slice(2)) : path
  const kvConfigPath = atHome(config.kvConfigPath)
  const configStorePath = atHome(config.configStorePath)
  const settings = KvNamespaces.load(files, kvConfigPath)
  const live = new LiveConfig(files, configStorePath, { ...config, kvConfigPath, configStorePath })
  const routes = new RouteTable<Connection>()
  const departures = new Departures(routes, clock, logger)

  const router = new Router(logger)
  handleRegistrations(router, { clock, logger, config: live, routes, settings })
  handleRoutes(router, { clock, config: live, routes, settings })
  handleTopics(router, { config: live, routes })
  handlePermissions(router, routes)
  handleSettings(router, settings)
  handleConfig(router, live, logger)

  const server = await RemotingServer.listen(host, {
    addresses: [{ host: config.bindAddress, port: config.listenPort }],
    router,
    onConnectionClosed: (connection) => departures.connectionClosed(connection),
    idleMs: config.serverChannelMaxIdleTimeSeconds * 1000,
  })
  const scan = every(
    clock,
    config.scanNotActiveBrokerInterval,
    () => departures.dropSilent(),
    (error) => logger.error('The look for silent brokers failed.', { error }),
  )
  return {
    address: server.addresses.map(formatAddress).join(),
    async close() {
      await scan.stop()
      await server.close()
      await settings.settled()
    },
  }
}
