/** The unmodified Java client against our name server and broker. */
import { describeJavaClients } from './java-client-facts.ts'
import { openOurServers } from './our-servers.ts'

describeJavaClients('our', openOurServers)
