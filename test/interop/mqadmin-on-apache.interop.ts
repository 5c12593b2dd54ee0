/** mqadmin against Apache's servers: when this fails, the harness is wrong, not we. */
import { inject } from 'vitest'
import { describeMqAdmin } from './mqadmin-facts.ts'

describeMqAdmin('Apache', async () => inject('apacheServers'))
