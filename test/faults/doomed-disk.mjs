/**
 * The real disk, behind which the process ends itself (SIGKILL) at one call that was chosen before.
 * Owns the count of the calls. Of a call that takes long it says so: a broker that waits for its
 * device does not come by its point.
 */
import { writeSync } from 'node:fs'
import process from 'node:process'

/**
 * @typedef {import('@rockhopper/host').Disk} Disk
 * @typedef {import('@rockhopper/host').DiskFile} DiskFile
 * @typedef {import('./points.mjs').Call} Call
 * @typedef {import('./points.mjs').Doom} Doom
 * @typedef {import('./points.mjs').Point} Point
 */

/** A call that takes longer is told of. */
const SLOW_MS = 2_000

const CHANGES = new Set(['create', 'write', 'setLength', 'sync', 'rename', 'remove'])

export class Fate {
  /** Calls that changed something before clients were served. */
  changesBeforeReady = 0
  #isReady = false
  #met = 0
  /** @type {Point | undefined} */
  #point
  /** @type {Doom | undefined} */
  #doom

  /**
   * @param {Point | undefined} point
   * @param {Doom | undefined} doom
   */
  constructor(point, doom) {
    this.#point = point
    this.#doom = doom
  }

  /** From now on clients are served. */
  ready() {
    this.#isReady = true
  }

  /**
   * Performs a call, and ends the process if it is the one.
   * @template T
   * @param {Call} call
   * @param {string} path
   * @param {() => T} perform
   * @param {() => void} [tear] performs a part of it
   * @returns {T}
   */
  meet(call, path, perform, tear = perform) {
    if (!this.#isReady && CHANGES.has(call)) this.changesBeforeReady++
    if (!this.#strikes(call, path)) return perform()
    switch (this.#doom?.moment) {
      case 'before':
        return die(call, path)
      case 'within':
        tear()
        return die(call, path)
    }
    const result = perform()
    if (!(result instanceof Promise)) return die(call, path)
    return /** @type {T} */ (result.then(() => die(call, path)))
  }

  /**
   * @param {Call} call
   * @param {string} path
   */
  #strikes(call, path) {
    const point = this.#point
    if (point === undefined || point.whileReady !== this.#isReady) return false
    if (!point.calls.includes(call) || !point.path.test(path)) return false
    this.#met++
    return this.#met === this.#doom?.nth
  }
}

/**
 * @template T
 * @param {string} call
 * @param {string} path
 * @param {Promise<T>} outcome
 */
function tellSlow(call, path, outcome) {
  const tell = () => writeSync(2, `doomed: ${call} of ${path} takes more than ${SLOW_MS} ms\n`)
  const timer = setTimeout(tell, SLOW_MS)
  return outcome.finally(() => clearTimeout(timer))
}

/**
 * The line goes straight to the descriptor: nothing of this process runs any more behind it.
 * @param {string} call
 * @param {string} path
 * @returns {never}
 */
function die(call, path) {
  writeSync(2, `doomed: dies at ${call} of ${path}\n`)
  process.kill(process.pid, 'SIGKILL')
  throw new Error('a process outlived its SIGKILL')
}

/**
 * @param {Disk} disk
 * @param {Fate} fate
 * @returns {Disk}
 */
export function doomedDisk(disk, fate) {
  return {
    open(path, mode) {
      if (mode !== 'create') return doomedFile(disk.open(path, mode), fate)
      return fate.meet('create', path, () => doomedFile(disk.open(path, mode), fate))
    },
    list: (directory) => disk.list(directory),
    stat: (path) => disk.stat(path),
    makeDirectory: (directory) => disk.makeDirectory(directory),
    rename: (from, to) => fate.meet('rename', to, () => disk.rename(from, to)),
    remove: (path) => fate.meet('remove', path, () => disk.remove(path)),
    syncDirectory: (directory) =>
      fate.meet('syncDirectory', directory, () => {
        return tellSlow('syncDirectory', directory, disk.syncDirectory(directory))
      }),
    volumeSpace: (path) => disk.volumeSpace(path),
    lock: (directory) => disk.lock(directory),
  }
}

/**
 * @param {DiskFile} file
 * @param {Fate} fate
 * @returns {DiskFile}
 */
function doomedFile(file, fate) {
  const { path } = file
  return {
    path,
    writeSync: (chunks, position) =>
      fate.meet(
        'write',
        path,
        () => file.writeSync(chunks, position),
        () => file.writeSync([firstHalf(chunks)], position),
      ),
    readSync: (target, position) => file.readSync(target, position),
    read: (target, position) => file.read(target, position),
    syncData: () => fate.meet('sync', path, () => tellSlow('sync', path, file.syncData())),
    sizeBytes: () => file.sizeBytes(),
    setLength: (sizeBytes) => fate.meet('setLength', path, () => file.setLength(sizeBytes)),
    close: () => file.close(),
  }
}

/**
 * What the system has taken of a write when the signal comes in the middle of it.
 * @param {readonly Uint8Array[]} chunks
 */
function firstHalf(chunks) {
  const bytes = Buffer.concat(chunks)
  return bytes.subarray(0, Math.ceil(bytes.length / 2))
}
