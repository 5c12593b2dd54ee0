/**
 * Hands out TCP ports to servers that tests start as processes. Owns the list of those given away.
 */
import { createServer } from 'node:net'

const allPorts = { lowest: 21_000, highest: 31_900 }
const portsPerServer = 10
const taken = new Set<number>()

/**
 * A port whose neighbours are free too: a RocketMQ broker also listens two below and one above the
 * port it is given. The range lies below the one the operating system gives to outgoing connections.
 */
export async function freePort({ lowest, highest } = allPorts): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    const slots = (highest - lowest) / portsPerServer
    const base = lowest + Math.floor(Math.random() * slots) * portsPerServer
    if (taken.has(base)) continue
    const free = await Promise.all([base, base + 1, base + 2, base + 3].map(isFree))
    if (free.every(Boolean)) {
      taken.add(base)
      return base + 2
    }
  }
  throw new Error(`no four neighbouring free ports between ${lowest} and ${highest}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
