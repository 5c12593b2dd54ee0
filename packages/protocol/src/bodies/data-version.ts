/**
 * The version of a broker's topic table, by which others see whether it changed.
 * Source: Apache class DataVersion; `remoting.md` section 9. 4.9 has no `stateVersion`.
 */
import { parseFastjson } from '../fastjson.ts'
import { asNumber, asObject } from './shape.ts'

export interface DataVersion {
  /** Grows with each change. */
  readonly counter: number
  /** Epoch of the master that made the change; 0 without a controller. */
  readonly stateVersion: number
  /** When the last change was made, ms since 1970. */
  readonly timestamp: number
}

/** The version of a broker that has told nothing. */
export const NO_DATA_VERSION: DataVersion = { counter: 0, stateVersion: 0, timestamp: 0 }

export function dataVersionOf(value: unknown): DataVersion {
  const json = asObject(value)
  return {
    counter: asNumber(json['counter']),
    stateVersion: asNumber(json['stateVersion']),
    timestamp: asNumber(json['timestamp']),
  }
}

export function encodeDataVersion(version: DataVersion): Buffer {
  const { counter, stateVersion, timestamp } = version
  return Buffer.from(JSON.stringify({ counter, stateVersion, timestamp }))
}

/** Throws `SyntaxError` when the body is not JSON. An empty body is no version. */
export function decodeDataVersion(body: Buffer): DataVersion {
  return body.length === 0 ? NO_DATA_VERSION : dataVersionOf(parseFastjson(body.toString()))
}

export function sameDataVersion(left: DataVersion, right: DataVersion): boolean {
  return (
    left.counter === right.counter &&
    left.stateVersion === right.stateVersion &&
    left.timestamp === right.timestamp
  )
}

/** The version after a change made at `nowMs`, ms since 1970. */
export function nextDataVersion(version: DataVersion, nowMs: number): DataVersion {
  return { counter: version.counter + 1, stateVersion: version.stateVersion, timestamp: nowMs }
}
