/**
 * Files of metadata (`config/*.json`), which are replaced as a whole and never half. Owns nothing.
 *
 * To save: the new text goes into `<file>.new` and is synced, the present file becomes
 * `<file>.bak`, the new one takes its name, and the folder is synced. A crash at any point leaves
 * `<file>` or `<file>.bak` complete, as Apache expects: it reads the second when the first is
 * missing or broken.
 * Source: Apache class ConfigManager; `store-format.md` section 16.1.
 */
import { type Disk, readWholeFile, replaceFile, writeBytes } from '@rockhopper/host'
import { parseFastjson } from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import { makeDurableFolder, parentOf } from './durable-folder.ts'

/**
 * The value in a file, in standard JSON or fastjson's dialect; undefined when there is neither the
 * file nor its backup. Throws `CorruptionError` when what is there cannot be read, and `DiskError`.
 */
export function readJsonFile(disk: Disk, path: string): unknown {
  const backup = `${path}.bak`
  const text = readText(disk, path)
  if (text.trim() !== '') {
    const value = parse(text)
    if (value !== undefined) return value
  }
  const kept = readText(disk, backup)
  if (kept.trim() === '') {
    if (text.trim() === '') return undefined
    throw unreadable(path)
  }
  const value = parse(kept)
  if (value === undefined) throw unreadable(backup)
  // The next save must not put what is broken in the place of the good copy.
  disk.remove(path)
  return value
}

/** Replaces the file by the JSON of `value`. Rejects with `DiskError`; the former value is kept. */
export async function writeJsonFile(disk: Disk, path: string, value: unknown): Promise<void> {
  await makeDurableFolder(disk, parentOf(path))
  const text = Buffer.from(JSON.stringify(value, undefined, 1))
  await replaceFile(disk, path, 'kept', (file) => writeBytes(file, text, 0))
}

function readText(disk: Disk, path: string): string {
  return readWholeFile(disk, path)?.toString('utf8') ?? ''
}

/** No file of metadata holds `null` or nothing; undefined stands for "not readable". */
function parse(text: string): unknown {
  try {
    return parseFastjson(text) ?? undefined
  } catch {
    return undefined
  }
}

function unreadable(path: string): CorruptionError {
  return new CorruptionError(
    path,
    0,
    `"${path}" is not JSON, and there is no other copy of it: repair it by hand, ` +
      'or remove it to start without what it holds',
  )
}
