/**
 * Disks that do not do what they say, to see whether the tests notice, and one whose files
 * are older than they are. Owns the writes that a lying disk holds back.
 */

/**
 * @typedef {import('@rockhopper/host').Disk} Disk
 * @typedef {import('@rockhopper/host').DiskFile} DiskFile
 * @typedef {'late-writes' | 'no-syncs' | 'lost-offsets'} Lie
 */

const HELD_BACK_MS = 60
const DAY_MS = 24 * 3_600_000
const LOG_FILE = /\/commitlog\/(\d{20})$/

/** @type {Readonly<Record<Lie, (disk: Disk) => Disk>>} */
const lies = {
  /** What is written to the log and its sums gets to the system a little after it is done. */
  'late-writes': (disk) => withFiles(disk, /\/(commitlog|logsums)\//, lateFile),
  /** Nothing is ever brought to the device. */
  'no-syncs': (disk) => ({
    ...withFiles(disk, /./, (file) => ({ ...file, syncData: () => Promise.resolve() })),
    syncDirectory: () => Promise.resolve(),
  }),
  /** Only the first offsets of groups are saved. */
  'lost-offsets': (disk) => ({
    ...disk,
    rename(from, to) {
      if (!to.endsWith('/consumerOffset.json') || disk.stat(`${to}.bak`) === undefined) {
        disk.rename(from, to)
      } else {
        disk.remove(from)
        disk.rename(`${to}.bak`, to)
      }
    },
  }),
}

/**
 * @param {Disk} disk
 * @param {string} lie
 * @returns {Disk}
 */
export function lyingDisk(disk, lie) {
  const make = Object.entries(lies).find(([name]) => name === lie)?.[1]
  if (make === undefined) throw new Error(`there is no lie "${lie}"`)
  return make(disk)
}

/**
 * @param {Disk} disk
 * @param {RegExp} paths
 * @param {(file: DiskFile) => DiskFile} change
 * @returns {Disk}
 */
function withFiles(disk, paths, change) {
  return {
    ...disk,
    open(path, mode) {
      const file = disk.open(path, mode)
      return paths.test(path) ? change(file) : file
    },
  }
}

/**
 * @param {DiskFile} file
 * @returns {DiskFile}
 */
function lateFile(file) {
  return {
    ...file,
    writeSync(chunks, position) {
      const bytes = Buffer.concat(chunks)
      setTimeout(() => {
        for (let done = 0; done < bytes.length; ) {
          done += file.writeSync([bytes.subarray(done)], position + done)
        }
      }, HELD_BACK_MS)
      return bytes.length
    },
  }
}

/**
 * A disk that says of the files of the log which lie before an offset that they were written a day
 * earlier, for a broker that removes what is hours old.
 * @param {Disk} disk
 * @param {number} logOffset
 * @returns {Disk}
 */
export function agedDisk(disk, logOffset) {
  return {
    ...disk,
    stat(path) {
      const stat = disk.stat(path)
      const start = LOG_FILE.exec(path)?.[1]
      if (stat === undefined || start === undefined) return stat
      if (Number(start) + stat.sizeBytes > logOffset) return stat
      return { ...stat, modifiedMs: stat.modifiedMs - DAY_MS }
    },
  }
}
