/**
 * Every command of the suite, for the router's names, the fuzz test and the reference.
 */
import type { Command } from '../command.ts'
import * as clients from './clients.ts'
import * as groups from './groups.ts'
import * as locks from './locks.ts'
import * as lookups from './lookups.ts'
import * as offsets from './offsets.ts'
import { LITE_PULL_MESSAGE, PULL_MESSAGE } from './pull.ts'
import * as relays from './relays.ts'
import * as replication from './replication.ts'
import * as routes from './routes.ts'
import * as runtime from './runtime.ts'
import * as send from './send.ts'
import * as settings from './settings.ts'
import * as timers from './timers.ts'
import * as topics from './topics.ts'
import * as transactions from './transactions.ts'
import * as waiting from './waiting.ts'

export const allCommands: readonly Command[] = [
  ...Object.values(send),
  ...Object.values(timers),
  ...Object.values(transactions),
  ...Object.values(waiting),
  PULL_MESSAGE,
  LITE_PULL_MESSAGE,
  ...Object.values(lookups),
  ...Object.values(offsets),
  ...Object.values(clients),
  ...Object.values(locks),
  ...Object.values(topics),
  ...Object.values(groups),
  ...Object.values(relays),
  ...Object.values(runtime),
  ...Object.values(replication),
  ...Object.values(routes),
  ...Object.values(settings),
] as readonly Command[]
