/**
 * mqadmin without the machine: makes the command line parser from the table of verbs, runs the verb
 * that is asked for, and prints what it found out. Owns nothing.
 */
import { type Host, parseAddress, pause } from '@rockhopper/host'
import { Command, CommanderError } from 'commander'
import { AdminClient } from './admin-client.ts'
import { AdminError } from './errors.ts'
import { toJson } from './json.ts'
import { commanderOption, type OptionTable } from './options.ts'
import type { AnyVerb, Output, VerbContext } from './verb.ts'

/** What a run of mqadmin may use. */
interface Surroundings {
  readonly host: Host
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
  readonly timeText: VerbContext['timeText']
  readonly timeOf: VerbContext['timeOf']
}

/** Options that every verb has. */
interface CommonOptions {
  readonly namesrvAddr?: string
  readonly json?: boolean
}

/** Runs one command line (without the names of Node and the program); resolves to the exit code. */
export async function runAdmin(
  verbs: readonly AnyVerb[],
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const [first = 'help', second] = args
  if (isHelp(first) && second === undefined) {
    surroundings.print(overview(verbs))
    return 0
  }
  const [name = '', ...rest] = isHelp(first) ? [second ?? ''] : args
  const known = knownVerb(verbs, name)
  const words = isHelp(first) && known !== undefined ? ['--help'] : rest
  try {
    const parser = parserOf(verbs, surroundings)
    await parser.parseAsync([known?.name ?? name, ...words], { from: 'user' })
    return 0
  } catch (error) {
    return explain(error, name, surroundings)
  }
}

/** The list of verbs, in Apache's form. */
function overview(verbs: readonly AnyVerb[]): string {
  const rows = verbs.map(({ name, description }) => `   ${name.padEnd(35)} ${description}\n`)
  return (
    `The most commonly used mqadmin commands are:\n${rows.join('')}\n` +
    "See 'mqadmin help <command>' for more information on a specific command.\n"
  )
}

function isHelp(word: string): boolean {
  return word === 'help' || word === '-h' || word === '--help'
}

/** Verbs are understood in any case. */
function knownVerb(verbs: readonly AnyVerb[], name: string): AnyVerb | undefined {
  return verbs.find((verb) => verb.name.toLowerCase() === name.toLowerCase())
}

function parserOf(verbs: readonly AnyVerb[], surroundings: Surroundings): Command {
  const program = new Command('mqadmin')
    .exitOverride()
    .helpCommand(false)
    .configureOutput({ writeOut: surroundings.print, writeErr: surroundings.complain })
    .configureOutput({ outputError: () => {} })
  for (const verb of verbs) addVerb(program, verb, surroundings)
  return program
}

function addVerb(program: Command, verb: AnyVerb, surroundings: Surroundings): void {
  const command = program
    .command(verb.name)
    .description(verb.description)
    .allowExcessArguments(false)
    .helpOption('-h, --help', 'print this help')
  const table: OptionTable = verb.options
  for (const [name, row] of Object.entries(table)) command.addOption(commanderOption(name, row))
  command.option('-n, --namesrvAddr <host:port[;host:port]>', 'name servers (NAMESRV_ADDR)')
  command.option('--json', 'print one JSON document')
  command.action(() => runVerb(verb, command.opts(), surroundings))
}

async function runVerb(
  verb: AnyVerb,
  options: CommonOptions,
  surroundings: Surroundings,
): Promise<void> {
  const { host, print, timeText, timeOf } = surroundings
  const client = new AdminClient(host, { nameServers: nameServersOf(options, host) })
  try {
    for (let round = 0; ; round++) {
      const output = await verb.run({ client, timeText, timeOf }, options)
      print((round > 0 ? '\n' : '') + textOf(output, options.json === true))
      const seconds = verb.repeatSeconds?.(options)
      if (seconds === undefined) return
      await pause(host.clock, seconds * 1_000)
    }
  } finally {
    client.close()
  }
}

function textOf({ lines, json }: Output, asJson: boolean): string {
  if (asJson) return `${toJson(json)}\n`
  return lines.map((line) => `${line}\n`).join('')
}

/** Throws `AdminError` when none is named, or one of them is no address. */
function nameServersOf(options: CommonOptions, host: Host): string[] {
  const text = options.namesrvAddr ?? host.machine.environment['NAMESRV_ADDR'] ?? ''
  const addresses = text.split(';').flatMap((address) => address.trim() || [])
  if (addresses.length === 0) {
    throw new AdminError(
      'No name server is named: add -n HOST:PORT, or set NAMESRV_ADDR. The name server of this ' +
        'machine is usually -n 127.0.0.1:9876.',
    )
  }
  const wrong = addresses.find((address) => parseAddress(address) === undefined)
  if (wrong === undefined) return addresses
  throw new AdminError(
    `"${wrong}" is not the address of a name server: write host:port, several joined by ";".`,
  )
}

/** Says why a run failed; the result is its exit code. */
function explain(error: unknown, name: string, { complain }: Surroundings): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0
    complain(`${parseSentence(error, name)}\n`)
    return 1
  }
  complain(`${error instanceof Error ? error.message : String(error)}\n`)
  return 1
}

/** What was wrong with the command line, and where to look it up. */
function parseSentence(error: CommanderError, name: string): string {
  const guess = /\(Did you mean (?:one of )?([^)?]+)\?\)/.exec(error.message)?.[1]
  if (error.code === 'commander.unknownCommand') {
    const hint = guess === undefined ? '' : ` Did you mean ${guess}?`
    return `The sub command ${name} not exist.${hint} See them all with mqadmin help.`
  }
  const [problem = ''] = error.message.replace(/^error: /, '').split('\n')
  const hint = guess === undefined ? '' : ` Did you mean ${guess}?`
  const sentence = problem.charAt(0).toUpperCase() + problem.slice(1).replace(/\.$/, '')
  return `${sentence}.${hint} See mqadmin help ${name}.`
}
