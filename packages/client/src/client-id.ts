/**
 * The name under which brokers know one producer or consumer, and those of its messages. Source: `client.md` section 1.1.
 */
import type { Host } from '@rockhopper/host'
import { UniqueKeys } from '@rockhopper/protocol'

/** Where the machine has no address but the loopback. */
const NO_ADDRESS = '127.0.0.1'

const RANDOM_DIGITS = 9

/**
 * `ip@instance`; without a name for the instance `ip@pid#time`, the time followed by random digits:
 * two clients may start in one millisecond.
 */
export function newClientId({ machine, clock, random }: Host, instanceName?: string): string {
  const ip = machine.addresses[0] ?? NO_ADDRESS
  const address = ip.includes(':') ? `[${ip}]` : ip
  if (instanceName !== undefined) return `${address}@${instanceName}`
  const digits = String(random.below(10 ** RANDOM_DIGITS)).padStart(RANDOM_DIGITS, '0')
  return `${address}@${machine.pid}#${clock.nowMs()}${digits}`
}

/** Makes the unique keys of one client's messages. */
export function newUniqueKeys({ machine, clock, random }: Host): UniqueKeys {
  return new UniqueKeys({
    ip: machine.addresses[0] ?? NO_ADDRESS,
    pid: machine.pid,
    salt: random.bytes(4).readInt32BE(),
    nowMs: () => clock.nowMs(),
  })
}
