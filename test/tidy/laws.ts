/**
 * The walls of the house, each a fact about its sources and a check that finds who breaks it. The
 * checks are pure: `tidy.test.ts` holds them against the disk, `laws.test.ts` against planted crimes.
 */
import { fileOf, type House, packageOf, targetOf } from './house.ts'
import type { Comment, ModuleFacts } from './module-facts.ts'
import { findCycles, reachableFrom } from './reach.ts'

export interface Law {
  /** The fact that holds, as a sentence. */
  readonly fact: string
  /** One sentence for each place where it does not. */
  readonly check: (house: House) => string[]
}

/** Which package may import which. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  host: [],
  replication: ['protocol', 'host'],
  remoting: ['protocol', 'host'],
  store: ['protocol', 'host'],
  namesrv: ['remoting', 'protocol', 'host'],
  client: ['remoting', 'protocol', 'host'],
  broker: ['store', 'replication', 'remoting', 'protocol', 'host'],
  admin: ['client', 'remoting', 'protocol', 'host'],
  sim: [
    'admin',
    'broker',
    'client',
    'namesrv',
    'store',
    'replication',
    'remoting',
    'protocol',
    'host',
  ],
}

/** Parts of Node that compute and do not touch the machine; all others are behind the doors. */
const PURE_BUILTINS = new Set([
  'assert',
  'assert/strict',
  'async_hooks',
  'buffer',
  'crypto',
  // Observers within the process: it reaches nothing beyond it.
  'diagnostics_channel',
  'events',
  'path',
  'path/posix',
  'string_decoder',
  'url',
  'util',
  'zlib',
])

const MACHINE_GLOBALS = new Set([
  'Date',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'process',
  'console',
  'performance',
  'crypto',
  'fetch',
  'WebSocket',
  'globalThis',
  'global',
  'require',
])

const MACHINE_MEMBERS = new Set(['Math.random', 'AbortSignal.timeout'])

/** What `node:crypto` draws from the machine's chance. */
const RANDOM_CRYPTO = /^(random|generate|getRandomValues|webcrypto|subtle|\*|default)/

/** Libraries that touch the machine, and so are for the host alone. */
const MACHINE_LIBRARIES = new Set(['pino', 'pino-pretty', 'sonic-boom'])

/** The files that start and close the parts of a server, and hold no behaviour. */
const COMPOSITION_ROOTS = new Set([
  'packages/namesrv/src/namesrv.ts',
  'packages/broker/src/broker.ts',
])

/** Files by which a package is entered: as a library, or as a program. */
const ENTRY_FILE = /^packages\/[^/]+\/src\/(index|main|cli)\.ts$/

const EMPTY_NAMES = /^(common|utils?|helpers?|managers?|impl|base|abstract|misc|shared)$/

export const laws: readonly Law[] = [
  { fact: 'packages import each other along the arrows only', check: alongArrows },
  { fact: 'another package is entered through its index.ts only', check: throughIndex },
  { fact: 'a package names in its package.json what it imports', check: namedDependencies },
  { fact: 'relative imports name a file with its ending', check: leadSomewhere },
  { fact: 'no file imports itself through others, not even by types', check: withoutCycles },
  { fact: 'only the host, main.ts, cli.ts and bin touch the machine', check: throughDoors },
  { fact: 'nobody imports a composition root but index.ts and main.ts', check: rootsAlone },
  { fact: 'handlers, services, rules and tables import downwards only', check: downwards },
  { fact: 'each file opens with a header comment', check: withHeader },
  { fact: 'nothing is left for later', check: withoutPromises },
  { fact: 'each file is reached from an index.ts, main.ts or cli.ts', check: withoutDeadFiles },
  { fact: 'each export is imported by somebody', check: withoutDeadExports },
  { fact: 'files and folders have names that say something', check: tellingNames },
]

function alongArrows(house: House): string[] {
  return everyImport(house, (module, { from, line }) => {
    const target = targetOf(module.path, from)
    const own = packageOf(module.path)
    if (target.kind !== 'package' || ARROWS[own]?.includes(target.name)) return undefined
    const allowed = ARROWS[own]?.join(', ') || 'no package'
    return `${at(module, line)} imports ${from}, but ${own} may import ${allowed}`
  })
}

function throughIndex(house: House): string[] {
  return everyImport(house, (module, { from, line }) => {
    const target = targetOf(module.path, from)
    const own = packageOf(module.path)
    if (target.kind === 'package' && target.inside !== '') {
      return `${at(module, line)} imports ${from}: import @rockhopper/${target.name}`
    }
    if (target.kind !== 'file' || target.path.startsWith(`packages/${own}/src/`)) return undefined
    return `${at(module, line)} leaves its package by ${from}: import the package by its name`
  })
}

function namedDependencies(house: House): string[] {
  return everyImport(house, (module, { from, line }) => {
    const target = targetOf(module.path, from)
    if (target.kind !== 'package' && target.kind !== 'library') return undefined
    const name = target.kind === 'package' ? `@rockhopper/${target.name}` : target.name
    const named = house.dependencies.get(packageOf(module.path))
    if (named === undefined || named.includes(name)) return undefined
    return `${at(module, line)} imports ${name}, which its package.json does not name`
  })
}

function leadSomewhere(house: House): string[] {
  return everyImport(house, (module, { from, line }) => {
    const target = targetOf(module.path, from)
    if (target.kind !== 'file' || house.modules.has(target.path)) return undefined
    return `${at(module, line)} imports ${from}, and there is no such file`
  })
}

function withoutCycles(house: House): string[] {
  return findCycles([...house.modules.keys()], (path) => importedFiles(house, path)).map(
    (cycle) => `these import each other in a circle: ${cycle.join(' → ')}`,
  )
}

function throughDoors(house: House): string[] {
  const indoors = [...house.modules.values()].filter(({ path }) => !mayTouchMachine(path))
  return indoors.flatMap((module) => [
    ...module.imports.flatMap(({ from, name, line }) => {
      const what = machineImport(module.path, from, name)
      return what === undefined ? [] : [touches(module, line, what)]
    }),
    ...module.identifiers
      .filter(({ name, free }) => free && MACHINE_GLOBALS.has(name))
      .map(({ name, line }) => touches(module, line, name)),
    ...module.members
      .filter(({ name }) => MACHINE_MEMBERS.has(name))
      .map(({ name, line }) => touches(module, line, name)),
  ])
}

function touches(module: ModuleFacts, line: number, what: string): string {
  return `${at(module, line)} names ${what}: take a door of @rockhopper/host as an argument`
}

function mayTouchMachine(path: string): boolean {
  if (packageOf(path) === 'host') return true
  return /^packages\/[^/]+\/src\/(main|cli)\.ts$/.test(path)
}

/** What an import brings that touches the machine; undefined when it is pure. */
function machineImport(importer: string, from: string, name: string): string | undefined {
  const target = targetOf(importer, from)
  if (target.kind === 'library') return MACHINE_LIBRARIES.has(target.name) ? from : undefined
  if (target.kind !== 'builtin') return undefined
  if (!PURE_BUILTINS.has(target.name)) return from
  if (target.name === 'crypto' && RANDOM_CRYPTO.test(name)) return `${name} of ${from}`
  return undefined
}

function rootsAlone(house: House): string[] {
  return everyImport(house, (module, { from, line }) => {
    const file = fileOf(module.path, from)
    if (file === undefined || !COMPOSITION_ROOTS.has(file)) return undefined
    if (ENTRY_FILE.test(module.path)) return undefined
    return `${at(module, line)} imports the composition root ${file}: take what it needs as arguments`
  })
}

/**
 * Folders of a server, and the folders that a file in each may not import. A handler is handed the
 * services that it uses, and may know their types.
 */
const UPWARDS: Readonly<Record<string, readonly string[]>> = {
  handlers: ['handlers', 'services'],
  services: ['handlers'],
  rules: ['handlers', 'services', 'replica', 'tables'],
  tables: ['handlers', 'services', 'replica'],
}

function downwards(house: House): string[] {
  return everyImport(house, (module, { from, isType, line }) => {
    const target = targetOf(module.path, from)
    if (target.kind !== 'file') return undefined
    const folder = roomOf(module.path)
    const room = roomOf(target.path)
    if (!UPWARDS[folder]?.includes(room)) return undefined
    if (folder === 'handlers' && room === 'services' && isType) return undefined
    return `${at(module, line)} imports ${from}: ${folder} may not import ${room}`
  })
}

/** `handlers` for packages/broker/src/handlers/send.ts; empty for a file right in src. */
function roomOf(path: string): string {
  const parts = path.split('/')
  return parts.length > 4 ? (parts[3] ?? '') : ''
}

function withHeader(house: House): string[] {
  return everyFile(house)
    .filter((module) => !module.opensWithComment || headerOf(module).length < 20)
    .map(({ path }) => `${path} does not open with a comment that says what it is for`)
}

function headerOf(module: ModuleFacts): string {
  const header = module.comments.find(({ text }) => text.startsWith('*'))
  return header?.text.replace(/[\s*]+/g, ' ').trim() ?? ''
}

const PROMISE = /\b(TODO|FIXME|XXX|HACK)\b/

function withoutPromises(house: House): string[] {
  const promises = ({ text }: Comment): boolean => PROMISE.test(text)
  return everyFile(house).flatMap((module) =>
    module.comments
      .filter(promises)
      .map(({ text, line }) => `${at(module, line)} puts off: ${text.trim()}`),
  )
}

function withoutDeadFiles(house: House): string[] {
  const entries = [...house.modules.keys()].filter((path) => ENTRY_FILE.test(path))
  const alive = reachableFrom(entries, (path) => importedFiles(house, path))
  return [...house.modules.keys()]
    .filter((path) => !alive.has(path))
    .map((path) => `${path} is imported by nobody: delete it`)
}

/**
 * An export lives when another file of its package imports it, when the package's index.ts shows it,
 * or when a test imports what its own file uses as well. A type also lives when its own file uses it:
 * the declarations of neighbours must be able to name what stands in a signature (TS4023).
 */
function withoutDeadExports(house: House): string[] {
  const inside = namesTaken(house, [...house.modules.values()])
  const around = namesTaken(house, house.around)
  return [...house.modules.values()].flatMap((module) => {
    if (ENTRY_FILE.test(module.path)) return []
    return module.exports
      .filter(({ name }) => !isTaken(inside, module.path, name))
      .filter(({ name, isType }) => {
        const isWanted = isType || isTaken(around, module.path, name)
        return !isWanted || !usesItself(module, name)
      })
      .map(({ name, line }) => `${at(module, line)} exports ${name}, which nobody imports`)
  })
}

type Taken = ReadonlyMap<string, ReadonlySet<string>>

function isTaken(taken: Taken, path: string, name: string): boolean {
  const names = taken.get(path)
  return names !== undefined && (names.has(name) || names.has('*'))
}

/** The names that some modules take out of each file. */
function namesTaken(house: House, takers: readonly ModuleFacts[]): Taken {
  const taken = new Map<string, Set<string>>()
  for (const module of takers) {
    for (const { from, name } of module.imports) {
      const file = fileOf(module.path, from)
      if (file === undefined || !house.modules.has(file)) continue
      const names = taken.get(file) ?? new Set()
      taken.set(file, names.add(name))
    }
  }
  return taken
}

function usesItself(module: ModuleFacts, name: string): boolean {
  return module.identifiers.filter((identifier) => identifier.name === name).length > 1
}

function tellingNames(house: House): string[] {
  return [...house.modules.keys()].flatMap((path) => {
    const words = path
      .replace(/\.ts$/, '')
      .split('/')
      .slice(3)
      .flatMap((part) => part.split('-'))
    const empty = words.find((word) => EMPTY_NAMES.test(word))
    return empty === undefined ? [] : [`${path} is called "${empty}": name what it is about`]
  })
}

type Imported = ModuleFacts['imports'][number]

/** Asks about every import of every module of the packages. */
function everyImport(
  house: House,
  ask: (module: ModuleFacts, imported: Imported) => string | undefined,
): string[] {
  const answers = new Set<string>()
  for (const module of house.modules.values()) {
    for (const imported of module.imports) {
      const answer = ask(module, imported)
      if (answer !== undefined) answers.add(answer)
    }
  }
  return [...answers]
}

function everyFile(house: House): ModuleFacts[] {
  return [...house.modules.values(), ...house.around]
}

function importedFiles(house: House, path: string): string[] {
  const files = new Set<string>()
  for (const { from } of house.modules.get(path)?.imports ?? []) {
    const file = fileOf(path, from)
    if (file !== undefined && house.modules.has(file)) files.add(file)
  }
  return [...files]
}

function at(module: ModuleFacts, line: number): string {
  return `${module.path}:${line}`
}
