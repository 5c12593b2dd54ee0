/**
 * How the programs in this folder get at what was built: `dist/` of a package, or one sentence that
 * says how to build it. Owns nothing.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Whether `packages/NAME` was built before, be it from older sources.
 * @param {string} name
 */
export function isBuilt(name) {
  return existsSync(new URL(`../packages/${name}/dist/index.js`, import.meta.url))
}

/**
 * Loads `packages/NAME/dist/FILE.js`; ends the process when it is not there.
 * @param {string} name
 * @param {string} file
 */
export async function built(name, file = 'index') {
  const url = new URL(`../packages/${name}/dist/${file}.js`, import.meta.url)
  if (!existsSync(url)) {
    process.stderr.write(
      `Rockhopper is not built yet: run "npm ci" and "npm run build" in ${root}, then try again.\n`,
    )
    process.exit(1)
  }
  return import(url.href)
}
