/** The unmodified Java client looks messages up by their ids, at our broker. */
import { describeLookup } from './lookup-and-locks-facts.ts'
import { openOurServers } from './our-servers.ts'

describeLookup('our', openOurServers)
