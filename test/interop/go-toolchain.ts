/**
 * The program around Apache's Go client, made ready: its modules are fetched through Go's own client,
 * and it is compiled. Both are kept in the cache, the program until what it was made from has changed.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { digest, run, whenChanged } from './toolchain.ts'
import { cacheDir, repositoryDir } from './workplace.ts'

const sourcesDir = join(repositoryDir, 'test', 'interop', 'go')
const goDir = join(cacheDir, 'go')
const programDir = join(goDir, 'program')
const toolTimeoutMs = 240_000

/** Nothing of the user's settings; modules that can be removed as other files can. */
const env = {
  GOMODCACHE: join(goDir, 'modules'),
  GOCACHE: join(goDir, 'built'),
  GOFLAGS: '-modcacherw -buildvcs=false -mod=readonly',
  GOTOOLCHAIN: 'local',
  CGO_ENABLED: '0',
}

export type GoProgram =
  | { readonly kind: 'ready'; readonly path: string }
  | { readonly kind: 'missing'; readonly reason: string }

export async function prepareGo(): Promise<GoProgram> {
  if (spawnSync('go', ['version']).status !== 0) {
    return { kind: 'missing', reason: 'there is no Go here' }
  }
  const options = { cwd: sourcesDir, env }
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => join(sourcesDir, name))
  let reason: string | undefined
  await whenChanged(programDir, digest(sources), async (dir) => {
    try {
      await run('go mod download', 'go', ['mod', 'download'], toolTimeoutMs, options)
    } catch (error) {
      reason = `the modules of the Go client cannot be fetched: ${error}`
      return
    }
    await run('go build', 'go', ['build', '-o', join(dir, 'client'), '.'], toolTimeoutMs, options)
  })
  return reason === undefined
    ? { kind: 'ready', path: join(programDir, 'client') }
    : { kind: 'missing', reason }
}
