/**
 * An IP address and a port as they lie in records and ids: 4 or 16 bytes, then an int32.
 * Source: Apache class MessageExtEncoder; `store-format.md` section 3.
 */

export interface HostAddress {
  /** 4 bytes for IPv4, 16 for IPv6. */
  readonly ip: Buffer
  readonly port: number
}

export const IPV4_BYTES = 4

/**
 * Reads the text form of an IP address; an IPv4 address mapped into IPv6 becomes IPv4, and what is
 * no IP address becomes 0.0.0.0.
 */
export function hostAddress(host: string, port: number): HostAddress {
  const text = host.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (text.includes(':')) return { ip: ipv6(text), port }
  const parts = text.split('.').map(Number)
  const valid = parts.length === IPV4_BYTES && parts.every((part) => part >= 0 && part <= 255)
  return { ip: Buffer.from(valid ? parts : [0, 0, 0, 0]), port }
}

/** The text form of an IP address of 4 or 16 bytes. */
export function ipText(ip: Uint8Array): string {
  if (ip.length === IPV4_BYTES) return ip.join('.')
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((ip[2 * i] ?? 0) << 8) | (ip[2 * i + 1] ?? 0)).toString(16),
  )
  return groups.join(':')
}

function ipv6(text: string): Buffer {
  const [left = '', right] = text.split('::')
  const head = groupsOf(left)
  const tail = right === undefined ? [] : groupsOf(right)
  const zeros = new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0)
  const ip = Buffer.alloc(16)
  for (const [i, group] of [...head, ...zeros, ...tail].slice(0, 8).entries()) {
    ip.writeUInt16BE(group & 0xffff, 2 * i)
  }
  return ip
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16) || 0)
}
