/**
 * Makes a checkout ready to run: installs the dependencies when they are missing or older than
 * package-lock.json, and builds what is older than its sources. Does nothing when nothing is to do.
 * Needs Node and npm only; says on standard error what it does.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Installs and builds; ends the process when one of them fails. */
export function prepare() {
  if (!isInstalled()) {
    say('The dependencies are missing or outdated: installing them with "npm ci".')
    // On Windows npm is a command file, which only a shell can start.
    run('npm', ['ci'], { shell: process.platform === 'win32' })
  }
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], {})
}

/** Whether each package of package-lock.json is there in its version, but for other systems' ones. */
function isInstalled() {
  const hidden = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(hidden)) return false
  const wanted = packagesIn(join(root, 'package-lock.json'))
  const present = packagesIn(hidden)
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (!path.startsWith('node_modules/') || optional === true) return true
    return present[path] !== undefined && present[path].version === version
  })
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function packagesIn(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ shell?: boolean }} options
 */
function run(command, args, options) {
  // What the children say is no result of ours: it goes to standard error.
  const child = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options })
  if (child.status === 0) return
  say(`"${[command, ...args].join(' ')}" failed: see above for the reason.`)
  process.exit(1)
}

/** @param {string} sentence */
function say(sentence) {
  process.stderr.write(`${sentence}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) prepare()
