/**
 * Reading beside the removal of what is old: a read that began before may find that its file is
 * gone. Owns nothing.
 */
import type { OpenFiles } from '../files/open-files.ts'

/**
 * What `attempt` comes to. If it fails while files are removed it is made again: by then it is known
 * what is not there any more. Rejects when it fails by itself.
 */
export function despiteRemovals<T>(
  files: OpenFiles,
  attempt: () => T | Promise<T>,
): T | Promise<T> {
  const { removals } = files
  const outcome = attempt()
  if (!(outcome instanceof Promise)) return outcome
  return outcome.catch((error: unknown) => {
    if (files.removals === removals) throw error
    return despiteRemovals(files, attempt)
  })
}
