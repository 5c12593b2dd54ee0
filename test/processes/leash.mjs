/**
 * Loaded before a server of ours (`node --import leash.mjs bin/mqbroker`): ends the process when its
 * standard input ends, so that no server outlives the test process, however that one ends.
 */
import process from 'node:process'

process.stdin.on('end', () => process.exit(1))
process.stdin.resume()
process.stdin.unref()
