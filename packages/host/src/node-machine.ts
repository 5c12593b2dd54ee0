/**
 * The machine this process runs on, read once. Owns nothing.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism, homedir, hostname, networkInterfaces, totalmem } from 'node:os'
import process from 'node:process'
import type { Machine } from './machine.ts'

/** An address that only means something together with the name of an interface. */
const LINK_LOCAL = /^(fe80:|169\.254\.)/i

export function nodeMachine(): Machine {
  return {
    pid: process.pid,
    hostname: hostname(),
    homeDirectory: homedir(),
    cores: availableParallelism(),
    totalMemoryBytes: memoryLimitBytes(),
    bootId: bootId(),
    addresses: addresses(),
    environment: { ...process.env },
    cpuMicros() {
      const { user, system } = process.cpuUsage()
      return user + system
    },
    residentBytes: () => process.memoryUsage.rss(),
  }
}

/** What the machine has, or the container may take if that is less. */
function memoryLimitBytes(): number {
  const limitBytes = process.constrainedMemory()
  return limitBytes > 0 ? Math.min(limitBytes, totalmem()) : totalmem()
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}

function addresses(): string[] {
  const all = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((each) => !each.internal && !LINK_LOCAL.test(each.address))
  const ipv4 = all.filter((each) => each.family === 'IPv4')
  const ipv6 = all.filter((each) => each.family === 'IPv6')
  return [...ipv4, ...ipv6].map((each) => each.address)
}
