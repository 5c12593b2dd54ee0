/**
 * What operators ask of the replication between a master and its slaves.
 * Source: `replication.md` section 14.
 */
import { command } from '../command.ts'

/** Answer body: how far the slaves are, or where a slave is; see `bodies/ha-status.ts`. */
export const GET_BROKER_HA_STATUS = command(907, 'GET_BROKER_HA_STATUS')
