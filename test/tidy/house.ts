/**
 * The whole house as the tidy laws see it: the sources of all packages, what stands around them, and
 * what each package says it needs. Read from the disk, or made up in memory to try a law.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type ModuleFacts, readModule } from './module-facts.ts'

export interface House {
  /** Files below packages/NAME/src, by path. */
  readonly modules: ReadonlyMap<string, ModuleFacts>
  /** Tests, benchmarks and programs: they may import what they like, and count as readers. */
  readonly around: readonly ModuleFacts[]
  /** What each package's package.json names as its dependencies. */
  readonly dependencies: ReadonlyMap<string, readonly string[]>
}

/** Where an import leads. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'package'; readonly name: string; readonly inside: string }
  | { readonly kind: 'builtin'; readonly name: string }
  | { readonly kind: 'library'; readonly name: string }

const SCOPE = '@rockhopper/'

/** A house from texts, by path. A package's dependencies come from its package.json if there is one. */
export function houseOf(files: Readonly<Record<string, string>>): House {
  const modules = new Map<string, ModuleFacts>()
  const around: ModuleFacts[] = []
  const dependencies = new Map<string, readonly string[]>()
  for (const [path, text] of Object.entries(files)) {
    const manifest = /^packages\/([^/]+)\/package\.json$/.exec(path)
    if (manifest !== null) dependencies.set(manifest[1] ?? '', namedIn(text))
    else if (/^packages\/[^/]+\/src\//.test(path)) modules.set(path, readModule(path, text))
    else around.push(readModule(path, text))
  }
  return { modules, around, dependencies }
}

/** The house as it stands on the disk. */
export function houseAt(root: string): House {
  const files: Record<string, string> = {}
  const read = (path: string): void => {
    files[path] = readFileSync(join(root, path), 'utf8')
  }
  for (const name of packageNames(root)) {
    read(`packages/${name}/package.json`)
    filesBelow(root, `packages/${name}/src`).forEach(read)
  }
  for (const folder of ['test', 'bench', 'bin']) filesBelow(root, folder).forEach(read)
  return houseOf(files)
}

/** The package that a path of `modules` belongs to. */
export function packageOf(path: string): string {
  return path.split('/')[1] ?? ''
}

export function targetOf(importer: string, from: string): Target {
  if (from.startsWith('.')) {
    return { kind: 'file', path: posix.join(posix.dirname(importer), from) }
  }
  const parts = from.split('/')
  if (from.startsWith(SCOPE)) {
    return { kind: 'package', name: parts[1] ?? '', inside: parts.slice(2).join('/') }
  }
  if (from.startsWith('node:')) return { kind: 'builtin', name: from.slice('node:'.length) }
  const words = from.startsWith('@') ? 2 : 1
  return { kind: 'library', name: parts.slice(0, words).join('/') }
}

/** The file of `modules` that an import leads to; undefined for builtins and libraries. */
export function fileOf(importer: string, from: string): string | undefined {
  const target = targetOf(importer, from)
  if (target.kind === 'file') return target.path
  if (target.kind === 'package') return `packages/${target.name}/src/index.ts`
  return undefined
}

function namedIn(manifest: string): string[] {
  const { dependencies = {} } = JSON.parse(manifest) as { dependencies?: Record<string, string> }
  return Object.keys(dependencies)
}

function packageNames(root: string): string[] {
  const folder = join(root, 'packages')
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'package.json')))
}

/** TypeScript files, and the programs of bin/, which are plain modules with or without an ending. */
function filesBelow(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && isSource(folder, entry.name))
    .map((entry) =>
      posix.join(folder, entry.parentPath.slice(join(root, folder).length), entry.name),
    )
}

function isSource(folder: string, name: string): boolean {
  if (name.endsWith('.ts') || name.endsWith('.mjs')) return true
  return folder === 'bin' && !name.includes('.')
}
