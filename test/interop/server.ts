/**
 * What the interop tests know about a running name server or broker, whoever made it, so that one
 * text of a test can be run against Apache's servers and against ours.
 */
import type { Child } from '../processes/child.ts'

export interface Server {
  /** Where clients reach it: `127.0.0.1:port`. */
  readonly addr: string
  readonly child: Child
  /** Asks for an orderly shutdown and waits until the process has ended. */
  stop(): Promise<void>
}

export interface Broker extends Server {
  readonly name: string
  readonly clusterName: string
  /** The folder of its configuration and its log files. */
  readonly home: string
}

export interface BrokerOptions {
  /** Name server addresses, separated by semicolons. */
  readonly namesrv: string
  readonly name: string
  readonly clusterName: string
  /** Where it listens; a free port unless told. */
  readonly port?: number
  /** More lines of the broker's configuration file. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Who made the servers. */
export interface ServerFamily {
  readonly label: string
  startNameServer(runDir: string): Promise<Server>
  startBroker(runDir: string, options: BrokerOptions): Promise<Broker>
}
