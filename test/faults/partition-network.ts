/**
 * A network of machines that are network namespaces: each has one cable into a common bridge. Packets
 * from one machine to another one can be lost, without a word to either. Owns the namespaces; they are
 * made in those of this process, which was run apart (`namespaces.mjs`).
 *
 * Each machine is told the hardware address of each other one. To cut a way, it is told one that nobody
 * has: what it sends is gone, as with a broken switch. No program sees an error, and TCP tries again.
 */
import { spawn } from 'node:child_process'
import { HOSTS, type HostName, type Pattern, type Way } from './partition-patterns.ts'

const NOBODY = '02:00:00:00:00:fe'
const NETS = '/run/netns'
const JUDGE_ADDRESS = '10.77.0.254'

export class PartitionNetwork {
  private constructor() {}

  /** Makes the machines and their cables. */
  static async open(): Promise<PartitionNetwork> {
    await run('sh', ['-c', `mkdir -p ${NETS} && mount -t tmpfs tmpfs ${NETS}`])
    await ip(['link set lo up', 'link add wire type bridge', 'link set wire up'])
    await ip([`addr add ${JUDGE_ADDRESS}/24 dev wire`])
    for (const host of HOSTS) {
      const hardware = `address ${hardwareOf(host)}`
      await ip([`netns add ${host}`])
      await ip([
        `link add ${plugOf(host)} type veth peer name eth0 ${hardware} netns ${host}`,
        `link set ${plugOf(host)} master wire up`,
      ])
      await ip(
        [
          ...['link set lo up', 'link set eth0 up'],
          `addr add ${addressOf(host)}/24 dev eth0`,
          ...HOSTS.filter((to) => to !== host).map((to) => neighbour(to, hardwareOf(to))),
        ],
        host,
      )
    }
    return new PartitionNetwork()
  }

  /** The words that run a program on a machine. */
  on(host: HostName): readonly string[] {
    return ['ip', 'netns', 'exec', host]
  }

  /** Why a pattern cannot be played here, in words; undefined when it can. */
  async obstacle({ slowed = [] }: Pattern): Promise<string | undefined> {
    const [host] = slowed
    if (host === undefined) return undefined
    try {
      await slow('add', host)
      await slow('del', host)
      return undefined
    } catch (error) {
      return `tc cannot slow a cable here: ${error instanceof Error ? error.message : error}`
    }
  }

  async disturb({ slowed = [], ways }: Pattern): Promise<void> {
    await Promise.all([this.#point(ways, () => NOBODY), ...slowed.map((host) => slow('add', host))])
  }

  async mend({ slowed = [], ways }: Pattern): Promise<void> {
    await Promise.all([this.#point(ways, hardwareOf), ...slowed.map((host) => slow('del', host))])
  }

  async #point(ways: readonly Way[], hardware: (to: HostName) => string): Promise<void> {
    const senders = new Set(ways.map(({ from }) => from))
    await Promise.all(
      [...senders].map((sender) => {
        const own = ways.filter(({ from }) => from === sender)
        return ip(
          own.map(({ to }) => neighbour(to, hardware(to))),
          sender,
        )
      }),
    )
  }
}

/** Where a machine is reached. */
export function addressOf(host: HostName): string {
  return `10.77.0.${HOSTS.indexOf(host) + 1}`
}

function hardwareOf(host: HostName): string {
  return `02:00:00:00:00:0${HOSTS.indexOf(host) + 1}`
}

/** Names of devices have 15 letters at the most. */
function plugOf(host: HostName): string {
  return `plug-${host}`
}

function neighbour(to: HostName, hardware: string): string {
  return `neigh replace ${addressOf(to)} lladdr ${hardware} nud permanent dev eth0`
}

/** Does some commands of `ip`, on a machine, or where the bridge is. */
async function ip(commands: readonly string[], host?: HostName): Promise<void> {
  const where = host === undefined ? [] : ['-n', host]
  await run('ip', [...where, '-batch', '-'], `${commands.join('\n')}\n`)
}

/** A token bucket: so many bits a second, a queue of so long, and what comes while it is full is lost. */
async function slow(what: 'add' | 'del', host: HostName): Promise<void> {
  const bucket = 'tbf rate 4mbit burst 8kb latency 100ms'
  const root = ['-n', host, 'qdisc', what, 'dev', 'eth0', 'root']
  await run('tc', what === 'add' ? [...root, ...bucket.split(' ')] : root)
}

function run(program: string, args: readonly string[], input = ''): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}: ${errors}${input}`))
    })
  })
}
