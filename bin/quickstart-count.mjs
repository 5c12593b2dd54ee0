/** How many messages the quickstart is asked to send. */

const DEFAULT_COUNT = 100_000
const MAX_COUNT = 10_000_000

/**
 * Ends the process with a sentence when the words are not understood.
 * @param {readonly string[]} args
 */
export function readCount(args) {
  if (args.length === 0) return DEFAULT_COUNT
  const [first = '', second] = args
  const text = first.startsWith('--messages=') ? first.slice('--messages='.length) : second
  const understood = args.length === (first.includes('=') ? 1 : 2) && first.startsWith('--messages')
  const count = Number(text)
  if (understood && Number.isInteger(count) && count >= 1 && count <= MAX_COUNT) return count
  process.stderr.write(
    `"${args.join(' ')}" is not understood: write --messages and a number from 1 to ${MAX_COUNT}.\n`,
  )
  process.exit(1)
}
