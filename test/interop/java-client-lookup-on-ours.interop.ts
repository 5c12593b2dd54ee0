/** The unmodified Java client looks messages up by their ids, at our broker. */
import { describeLookup } from './lookup-facts.ts'
import { openOurServers } from './our-servers.ts'

describeLookup('our', openOurServers)
