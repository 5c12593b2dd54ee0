/**
 * Hands out TCP ports to servers that tests start as processes, to each its own, whichever of the
 * processes that test at the same time asks. Owns the guards of those given away.
 */
import { createServer } from 'node:net'

const allPorts = { lowest: 21_000, highest: 31_900 }
const portsPerServer = 10
/** Where a slot is guarded: no server uses this port of it. */
const guardAt = portsPerServer - 1

/**
 * A port whose neighbours are free too: a RocketMQ broker also listens two below and one above the
 * port it is given. The range lies below the one the operating system gives to outgoing connections.
 */
export async function freePort({ lowest, highest } = allPorts): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    const slots = (highest - lowest) / portsPerServer
    const base = lowest + Math.floor(Math.random() * slots) * portsPerServer
    if (!(await guard(base + guardAt))) continue
    const free = await Promise.all([base, base + 1, base + 2, base + 3].map(isFree))
    if (free.every(Boolean)) return base + 2
  }
  throw new Error(`no four neighbouring free ports between ${lowest} and ${highest}`)
}

/**
 * Listens on a port as long as this process lives, so that nobody else can: between the look at a
 * port and the start of its server, another process of tests would find it free, too.
 */
function guard(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.unref()
      resolve(true)
    })
  })
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
