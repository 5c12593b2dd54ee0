/** Our client, together with Java ones, against Apache's name server and broker. */
import { inject } from 'vitest'
import { describeOurClient } from './our-client-facts.ts'

describeOurClient('Apache', async () => inject('apacheServers'))
