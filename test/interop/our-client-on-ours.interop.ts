/** Our client and Java ones together on our name server and broker. */
import { describeOurClient } from './our-client-facts.ts'
import { openOurServers } from './our-servers.ts'

describeOurClient('our', openOurServers)
