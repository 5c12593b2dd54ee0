/**
 * Apache's jars and our small Java programs, made ready: fetched through Maven from the pom.xml files
 * beside this one, compiled with javac. Both are kept in the cache and made anew only when what they
 * were made from has changed.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, type ChildOptions } from '../processes/child.ts'
import { cacheDir, javaSourcesDir, repositoryDir } from './workplace.ts'

/** A set of jars with our programs compiled against it. */
export type JarSet = 'apache-4' | 'apache-5'

const forBoth = [
  ...['Lines.java', 'Patience.java', 'InteropClient.java', 'Consumers.java', 'Transactions.java'],
  ...['Questions.java', 'Traced.java'],
]

const programs: Readonly<Record<JarSet, readonly string[]>> = {
  'apache-4': forBoth,
  'apache-5': [...forBoth, 'Leash.java', 'AdminShell.java', 'Traveller.java'],
}

/** The class path of a prepared set. */
export function classPath(set: JarSet): string {
  return `${join(cacheDir, set, 'classes')}:${join(cacheDir, set, 'jars')}/*`
}

export async function prepareJars(set: JarSet): Promise<void> {
  await fetchJars(set)
  await compilePrograms(set)
}

/**
 * Builds our packages, so that the programs in bin/ can be started. INTEROP_NO_BUILD=1 takes them as
 * they were built before.
 */
export async function buildPackages(): Promise<void> {
  if (process.env['INTEROP_NO_BUILD'] === '1') return
  const tsc = join(repositoryDir, 'node_modules', 'typescript', 'bin', 'tsc')
  await run('tsc -b', process.execPath, [tsc, '-b'], 180_000)
}

/** A registry has its weak moments; a wrong pom.xml fails each time. */
const fetchAttempts = 4
const betweenAttemptsMs = 2_000

async function fetchJars(set: JarSet): Promise<void> {
  const pom = join(javaSourcesDir, set, 'pom.xml')
  await whenChanged(join(cacheDir, set, 'jars'), digest([pom]), async (dir) => {
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${dir}`]
    for (let attempt = 1; ; attempt++) {
      try {
        await run(`mvn for ${set}`, 'mvn', args, 240_000)
        return
      } catch (error) {
        if (attempt === fetchAttempts) throw error
        await new Promise((resolve) => setTimeout(resolve, attempt * betweenAttemptsMs))
      }
    }
  })
}

async function compilePrograms(set: JarSet): Promise<void> {
  const sources = programs[set].map((name) => join(javaSourcesDir, name))
  const stamp = digest([join(javaSourcesDir, set, 'pom.xml'), ...sources])
  await whenChanged(join(cacheDir, set, 'classes'), stamp, async (dir) => {
    const jars = `${join(cacheDir, set, 'jars')}/*`
    await run(`javac for ${set}`, 'javac', ['-nowarn', '-d', dir, '-cp', jars, ...sources], 60_000)
  })
}

/** Fills a directory unless its stamp says that it already holds what was asked for. */
export async function whenChanged(
  dir: string,
  stamp: string,
  fill: (dir: string) => Promise<void>,
): Promise<void> {
  const stampFile = `${dir}.stamp`
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  await fill(dir)
  writeFileSync(stampFile, stamp)
}

/** Of what some files hold. */
export function digest(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex')
}

/** Runs a tool to its end; rejects with what it said when it fails. */
export async function run(
  name: string,
  command: string,
  args: readonly string[],
  timeoutMs: number,
  more: Pick<ChildOptions, 'cwd' | 'env'> = {},
): Promise<void> {
  const child = new Child({ name, command, args, cwd: repositoryDir, ...more })
  child.closeInput()
  const code = await child.end(timeoutMs)
  if (code !== 0) throw child.complaint(`did not succeed (exit code ${code})`)
}
