/**
 * Messages whose every byte follows from their number, so that a reader can tell which one it is and
 * whether it is still what was sent. Owns nothing.
 */
import { SimRandom } from '@rockhopper/sim'

const NUMBER_BYTES = 4
const LONGEST_FILL_BYTES = 600
const NOISE = new SimRandom(20_260_101).bytes(64 * 1024)

/** 5 to 604 bytes: the number, then a piece of noise whose place and length follow from it. */
export function numberedBody(number: number): Buffer {
  const fillBytes = 1 + ((Math.imul(number, 2_654_435_761) >>> 0) % LONGEST_FILL_BYTES)
  const start = (Math.imul(number, 40_503) >>> 0) % (NOISE.length - LONGEST_FILL_BYTES)
  const body = Buffer.allocUnsafe(NUMBER_BYTES + fillBytes)
  body.writeUInt32BE(number, 0)
  NOISE.copy(body, NUMBER_BYTES, start, start + fillBytes)
  return body
}

/** The number of a body; undefined when a byte is not as it was made. */
export function numberOf(body: Buffer): number | undefined {
  if (body.length < NUMBER_BYTES) return undefined
  const number = body.readUInt32BE(0)
  return body.equals(numberedBody(number)) ? number : undefined
}
