/**
 * Whether network namespaces can be had here, and the words by which a program is run in a network, a
 * process table and a mount table of its own: all that it makes of them is gone when it ends, however
 * it ends, and nothing of it can be met by another run. Owns nothing.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'

/** Everything is killed with the first process in it. */
const APART = [
  'unshare',
  ...['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
]

/** Does once what a network of namespaces is made of. */
const TRIAL = `set -e
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link add wire type bridge
ip netns add trial
ip link add plug type veth peer name eth0 netns trial
ip link set plug master wire up
ip -n trial link set eth0 up
ip -n trial addr add 10.77.0.1/24 dev eth0
ip -n trial neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 nud permanent dev eth0
ip netns exec trial true`

/**
 * The command that runs a program apart.
 * @param {readonly string[]} command
 */
export function apart(command) {
  return [...APART, ...command]
}

/** Why there can be no namespaces here, as half a sentence; undefined when there can. */
export function whyNoNamespaces() {
  if (process.platform !== 'linux') return `this is ${process.platform}, and they are of Linux`
  if (process.getuid?.() !== 0) return 'they are only for root'
  const [program = '', ...args] = apart(['sh', '-c', TRIAL])
  const { error, status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status === 0) return undefined
  return error?.message ?? (stderr.trim().split('\n').at(-1) || `the trial ended with ${status}`)
}
