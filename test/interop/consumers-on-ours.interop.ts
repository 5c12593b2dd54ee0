/** Unmodified Java consumers of both versions, and ours, on our name server and broker. */
import { describeConsumers } from './consumer-facts.ts'
import { openOurServers } from './our-servers.ts'

describeConsumers('our', ['4.9.8', '5.3.3', 'ours'], openOurServers)
