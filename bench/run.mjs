#!/usr/bin/env node
/**
 * `npm run bench -- NAME`: how fast the parts and the whole are on this machine.
 * Figures of shared machines are noisy: compare only those of one run.
 */
const benches = {
  codec: 'heads and frames, encoded and decoded',
  store: 'append, sync, read, query, recovery, topics: the store alone beside its physical limits',
  send: 'messages through a broker process, with latency and server CPU',
  produce: 'ways of sending: one by one, sharing requests, in batches, synchronously',
  replicate: 'a synchronous master beside an asynchronous one, the lag of a slave, its catching up',
  consume: 'a consumer far behind: its rate, and what it costs the others; latency',
}

const [name, ...flags] = process.argv.slice(2)
if (name === undefined || !Object.hasOwn(benches, name)) {
  process.stderr.write('usage: npm run bench -- NAME [flags]\n')
  for (const [bench, what] of Object.entries(benches)) {
    process.stderr.write(`  ${bench.padEnd(9)} ${what}\n`)
  }
  process.exit(2)
}
const { run } = await import(`./${name}.mjs`)
try {
  await run(flags)
} catch (error) {
  if (!String(error.code).startsWith('ERR_PARSE_ARGS_')) throw error
  process.stderr.write(
    `bench ${name}: ${error.message}\nIts flags are named in bench/${name}.mjs.\n`,
  )
  process.exitCode = 2
}
