/** Apache's mqadmin against our name server and broker. */
import { describeMqAdmin } from './mqadmin-facts.ts'
import { openOurServers } from './our-servers.ts'

describeMqAdmin('our', openOurServers)
