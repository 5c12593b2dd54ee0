/** The unmodified Java client, both versions with both headers, on our name server and broker. */
import { describeJavaClients } from './java-client-facts.ts'
import { openOurServers } from './our-servers.ts'

describeJavaClients(
  'our',
  [
    { version: '4.9.8', header: 'JSON' },
    { version: '4.9.8', header: 'ROCKETMQ' },
    { version: '5.3.3', header: 'JSON' },
    { version: '5.3.3', header: 'ROCKETMQ' },
  ],
  openOurServers,
)
