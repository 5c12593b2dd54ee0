/** The Java client against Apache's servers: when this fails, the harness is wrong, not we. */
import { inject } from 'vitest'
import { describeJavaClients } from './java-client-facts.ts'
import { describeLookup } from './lookup-facts.ts'

describeJavaClients(
  'Apache',
  [
    { version: '4.9.8', header: 'JSON' },
    { version: '5.3.3', header: 'ROCKETMQ' },
  ],
  async () => inject('apacheServers'),
)
describeLookup('Apache', async () => inject('apacheServers'))
