/**
 * Starts a name server or broker of ours as an operator does: a program of bin/ with a configuration
 * file. It ends with the test process, however that one ends.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from './child.ts'

const programs = fileURLToPath(new URL('../../bin', import.meta.url))
const leash = new URL('./leash.mjs', import.meta.url).href

/** Far beyond what a start takes, for machines that are busy with other things. */
const BOOT_TIMEOUT_MS = 60_000

export interface OurServerOptions {
  /** What the process is called in messages. */
  readonly name: string
  readonly program: 'mqnamesrv' | 'mqbroker'
  /** Its home and current folder; the configuration file is written there. */
  readonly home: string
  readonly settings: Readonly<Record<string, string>>
  /** More arguments of the program. */
  readonly args?: readonly string[]
  readonly explain?: () => string
}

/** Starts the process, and waits for nothing. */
export function launchOurServer(options: OurServerOptions): Child {
  const { args = [], explain, home, name, program, settings } = options
  const configFile = join(home, `${program}-${settings['listenPort']}.conf`)
  writeFileSync(configFile, propertiesText(settings))
  return new Child({
    name,
    command: process.execPath,
    args: ['--import', leash, join(programs, program), '-c', configFile, ...args],
    env: { ROCKETMQ_HOME: home, HOME: home, NAMESRV_ADDR: '' },
    cwd: home,
    isServer: true,
    ...(explain === undefined ? {} : { explain }),
  })
}

/** Waits until the process says that it is up. */
export async function untilUp(child: Child): Promise<void> {
  const bootLine = (): string | undefined =>
    child.lines.find((line) => line.includes('boot success'))
  await child.waitFor('boot line', bootLine, BOOT_TIMEOUT_MS)
}

/** The text of a configuration file as Java's Properties and we read it. */
export function propertiesText(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}
