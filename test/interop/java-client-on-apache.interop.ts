/** The Java client against Apache's servers: when this fails, the harness is wrong, not we. */
import { inject } from 'vitest'
import { describeJavaClients } from './java-client-facts.ts'
import { describeLookupAndLocks } from './lookup-and-locks-facts.ts'

describeJavaClients('Apache', async () => inject('apacheServers'))
describeLookupAndLocks('Apache', async () => inject('apacheServers'))
