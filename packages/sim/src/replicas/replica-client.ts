/**
 * What the applications of a run have in common: what they are given, and how insistently their
 * clients are started. Owns nothing.
 */
import { ClientError } from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import type { SimHost } from '../host.ts'
import type { SimRandom } from '../random.ts'
import type { ReplicaHistory } from './replica-history.ts'

const START_AGAIN_MS = 500

/** What every application is given. */
export interface ReplicaClientParts {
  readonly host: SimHost
  readonly namesrvAddr: string
  readonly topic: string
  readonly random: SimRandom
  readonly history: ReplicaHistory
  /** Stands between its process and the doors. */
  readonly doors: (doors: Host, hostName: string) => Host
}

/** The doors of the process that is there, or of a new one. */
export function doorsOf({ doors, host }: ReplicaClientParts): Host {
  return doors(host.running ? host.doors : host.restart(), host.name)
}

/**
 * Starts a client, however often that takes a name server which is not there, for as long as it is
 * wanted.
 */
export async function startInsistently(
  client: { start(): Promise<void> },
  { clock }: Host,
  isWanted: () => boolean = () => true,
): Promise<void> {
  for (;;) {
    try {
      return await client.start()
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      if (!isWanted()) return
      if (!error.retryable) throw error
      await pause(clock, START_AGAIN_MS)
    }
  }
}
