/**
 * The named points at which a broker is killed: each a set of calls of the disk door. Read by the
 * broker that is to die and by the test that decides where. Owns nothing.
 */

/**
 * A call of the door; `write` to `sync` are those of an open file, `create` opens one that may be
 * made.
 * @typedef {'create' | 'write' | 'setLength' | 'sync' | 'rename' | 'remove' | 'syncDirectory'} Call
 */

/**
 * @typedef {object} Point
 * @property {string} name
 * @property {readonly Call[]} calls
 * @property {RegExp} path of the file; where it is renamed to
 * @property {boolean} whileReady whether the calls count that come when clients are served, or those before
 * @property {number} spread a kill strikes at one of so many such calls
 * @property {string} [neededKey] a setting without which a broker does nothing of the kind
 */

/** @type {readonly Call[]} */
const changes = ['create', 'write', 'setLength', 'sync', 'rename', 'remove', 'syncDirectory']

/** @type {readonly Point[]} */
export const points = [
  {
    name: 'segment roll',
    calls: ['create', 'setLength'],
    path: /\/(commitlog|logsums)\/\d{20}$/,
    whileReady: true,
    spread: 8,
  },
  {
    name: 'queue roll',
    calls: ['create', 'setLength'],
    path: /\/consumequeue\/[^/]+\/\d+\/\d{20}$/,
    whileReady: true,
    spread: 6,
  },
  {
    name: 'index roll',
    calls: ['create', 'setLength'],
    path: /\/index\/\d+$/,
    whileReady: true,
    spread: 2,
    neededKey: 'maxIndexNum',
  },
  {
    name: 'offset save',
    calls: changes,
    path: /\/config(\/consumerOffset\.json[.a-z]*)?$/,
    whileReady: true,
    spread: 16,
  },
  {
    name: 'topic save',
    calls: changes,
    path: /\/config\/topics\.json[.a-z]*$/,
    whileReady: true,
    spread: 6,
  },
  {
    name: 'checkpoint',
    calls: changes,
    path: /\/checkpoint[.a-z]*$/,
    whileReady: true,
    spread: 4,
  },
  {
    name: 'retention',
    calls: ['remove', 'rename'],
    path: /\/(commitlog|logsums|consumequeue|index)\/.*\d$/,
    whileReady: true,
    spread: 4,
    neededKey: 'fileReservedTime',
  },
  { name: 'recovery', calls: changes, path: /./, whileReady: false, spread: 12 },
]

/**
 * Where a broker is to die: at the n-th call of a point, before it, in it or after it.
 * @typedef {object} Doom
 * @property {string} point
 * @property {number} nth from 1
 * @property {'before' | 'within' | 'after'} moment
 */

/**
 * @param {string} name
 * @returns {Point}
 */
export function pointNamed(name) {
  const point = points.find((each) => each.name === name)
  if (point === undefined) throw new Error(`there is no point "${name}"`)
  return point
}
