/**
 * Finds messages in a store by their offset, their place in a queue, or a key, and takes them apart.
 * Owns nothing and changes nothing.
 */
import { crc32, inflateSync } from 'node:zlib'
import {
  compressionOf,
  decodeProperties,
  FIRST_INDEX_ENTRY,
  INDEX_HEADER_BYTES,
  ipText,
  isLive,
  isPreBlank,
  messageKeyHash,
  offsetIdPrefix,
  offsetMessageId,
  readIndexHeader,
  readUnit,
  recordHasKey,
  type StoredRecord,
  scanRecord,
  UNIT_BYTES,
} from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import { readBytes } from '../files/file-bytes.ts'
import { OpenFiles } from '../files/open-files.ts'
import { KeyIndexFile } from '../keys/key-index-file.ts'
import { KeyIndexSums } from '../keys/key-index-sums.ts'
import { MAX_RECORD_BYTES } from '../limits.ts'
import { DryDisk } from './dry-disk.ts'
import { scanWholeLog } from './log-scan.ts'
import { SegmentFiles } from './segment-files.ts'
import { InspectError, indexNames, type ReadingHost, type StoreFolder } from './store-folder.ts'

/** Which messages are wanted. */
export type Wanted =
  | { readonly kind: 'offset'; readonly logOffset: number }
  /** `unique`: the client's own id only (UNIQ_KEY), not the words of KEYS. */
  | { readonly kind: 'key'; readonly topic: string; readonly key: string; readonly unique: boolean }
  | {
      readonly kind: 'queue'
      readonly topic: string
      readonly queueId: number
      readonly queueOffset: number
    }

/** A message with all that is stored of it. */
export interface DumpedMessage extends Omit<StoredRecord, 'properties' | 'bornHost' | 'storeHost'> {
  readonly bornHost: string
  readonly storeHost: string
  /** Address of the broker and offset in its log, as the answer to a send has it. */
  readonly offsetMessageId: string
  readonly properties: Readonly<Record<string, string>>
  /** Decompressed where that is possible. */
  readonly body: Buffer
  /** What has to be said of the body; empty when all is well. */
  readonly bodyNotes: readonly string[]
}

/** A body may be so large when it is decompressed. */
const MAX_BODY_BYTES = 256 * 1024 * 1024
const HEAD_BYTES = 8

/**
 * At the most `limit` messages, oldest first. Rejects with `InspectError` when there is none, which
 * says why, and with `DiskError`.
 */
export async function findMessages(
  host: ReadingHost,
  folder: StoreFolder,
  wanted: Wanted,
  limit: number,
): Promise<DumpedMessage[]> {
  const log = new SegmentFiles(host.disk, folder.commitLog, folder.logSegmentBytes)
  try {
    return (await recordsFor(host, folder, log, wanted, limit)).map(dumped)
  } finally {
    log.close()
  }
}

async function recordsFor(
  host: ReadingHost,
  folder: StoreFolder,
  log: SegmentFiles,
  wanted: Wanted,
  limit: number,
): Promise<Buffer[]> {
  switch (wanted.kind) {
    case 'offset':
      return [recordAt(log, wanted.logOffset)]
    case 'queue':
      return recordsOfQueue(host, folder, log, wanted, limit)
    case 'key': {
      const records = await recordsWithKey(host, folder, log, wanted, limit)
      if (records.length > 0) return records
      throw new InspectError(
        `No message of topic "${wanted.topic}" has the ${wanted.unique ? 'unique key' : 'key'} ` +
          `"${wanted.key}": the key index was asked and the log was read.`,
      )
    }
  }
}

/** The bytes of the record that begins at an offset. Throws `InspectError` when none does. */
function recordAt(log: SegmentFiles, logOffset: number): Buffer {
  const found = readRecordAt(log, logOffset)
  if (typeof found !== 'string') return found
  throw new InspectError(
    `No record begins at offset ${logOffset} of the log, which goes from ${log.firstOffset} to ` +
      `${log.endOffset} at the most: ${found}.`,
  )
}

/** The record, or why there is none. Its body may be damaged. */
function readRecordAt(log: SegmentFiles, logOffset: number): Buffer | string {
  if (logOffset < log.firstOffset || logOffset >= log.endOffset) return 'that is outside of it'
  const head = Buffer.alloc(HEAD_BYTES)
  if (log.read(head, logOffset) < HEAD_BYTES) return 'the file ends there'
  const claimed = scanRecord(head, 0, false)
  if (claimed.kind === 'blank') return 'the rest of the file is left free there'
  if (claimed.kind === 'invalid') return claimed.reason
  const sizeBytes = claimed.kind === 'cut-off' ? claimed.sizeBytes : HEAD_BYTES
  const bytes = Buffer.alloc(Math.min(sizeBytes, MAX_RECORD_BYTES))
  const scanned = scanRecord(bytes.subarray(0, log.read(bytes, logOffset)), 0, false)
  if (scanned.kind === 'invalid') return scanned.reason
  if (scanned.kind !== 'record') return `a record there claims to have ${sizeBytes} bytes`
  const own = scanned.record.logOffset
  return own === logOffset ? bytes : `a record there says that its offset is ${own}`
}

function recordsOfQueue(
  { disk }: ReadingHost,
  folder: StoreFolder,
  log: SegmentFiles,
  { queueId, queueOffset, topic }: Extract<Wanted, { kind: 'queue' }>,
  limit: number,
): Buffer[] {
  const directory = `${folder.queues}/${topic}/${queueId}`
  const files = new SegmentFiles(disk, directory, folder.queueSegmentBytes)
  const unit = Buffer.alloc(UNIT_BYTES)
  const records: Buffer[] = []
  try {
    for (let at = queueOffset; records.length < limit; at++) {
      unit.fill(0)
      files.read(unit, at * UNIT_BYTES)
      const { logOffset, sizeBytes } = readUnit(unit, 0)
      const isThere = isLive({ logOffset, sizeBytes, tagsCode: 0 })
      if (!isThere && records.length > 0) break
      if (!isThere) throw noUnit(files, queueOffset, topic, queueId)
      if (!isPreBlank({ logOffset, sizeBytes, tagsCode: 0 })) records.push(recordAt(log, logOffset))
    }
  } finally {
    files.close()
  }
  return records
}

function noUnit(
  files: SegmentFiles,
  queueOffset: number,
  topic: string,
  queueId: number,
): InspectError {
  const first = files.firstOffset / UNIT_BYTES
  const advice =
    files.files.length === 0
      ? 'it has no files at all; rockhopper store inspect shows the queues that are there'
      : `its files begin at ${first}; messages that came after its last save are found by ` +
        '--offset or by a key'
  return new InspectError(
    `Queue ${queueId} of topic "${topic}" has nothing at ${queueOffset} in its files: ${advice}.`,
  )
}

/** By the index as far as it goes, and in the log behind it. */
async function recordsWithKey(
  host: ReadingHost,
  folder: StoreFolder,
  log: SegmentFiles,
  wanted: Extract<Wanted, { kind: 'key' }>,
  limit: number,
): Promise<Buffer[]> {
  const { end, offsets } = await indexed(host, folder, wanted, limit)
  const found = new Map<number, Buffer>()
  for (const logOffset of offsets) {
    const record = readRecordAt(log, logOffset)
    if (typeof record !== 'string' && hasKey(record, wanted)) found.set(logOffset, record)
  }
  scanFor(log, end, wanted, found)
  if (found.size === 0 && end > log.firstOffset) scanFor(log, log.firstOffset, wanted, found)
  const newest = [...found.keys()].sort((a, b) => a - b).slice(-limit)
  return newest.flatMap((logOffset) => found.get(logOffset) ?? [])
}

/** Offsets of records that may have the key, and the last one that the index knows of. */
async function indexed(
  { disk }: ReadingHost,
  folder: StoreFolder,
  { key, topic }: Extract<Wanted, { kind: 'key' }>,
  limit: number,
): Promise<{ offsets: Set<number>; end: number }> {
  const dryDisk = new DryDisk(disk)
  const files = new OpenFiles(dryDisk)
  const offsets = new Set<number>()
  const asked = { beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER }
  const hash = messageKeyHash(topic, key)
  let end = 0
  try {
    for (const name of indexNames(disk, folder).toReversed()) {
      const path = `${folder.keyIndex}/${name}`
      const head = Buffer.alloc(INDEX_HEADER_BYTES)
      await readBytes(files.get(path), head, 0)
      const header = readIndexHeader(head, 0)
      if (header.nextEntry === FIRST_INDEX_ENTRY) continue
      end = Math.max(end, header.endOffset)
      const shape = folder.indexShape
      const covered = { nextEntry: header.nextEntry, pageSum: 0 }
      const sumsPath = { disk: dryDisk, files, path: `${folder.keyIndexSums}/${name}` }
      const sums = new KeyIndexSums(sumsPath, shape, covered)
      const file = new KeyIndexFile({ files, path, shape, sums }, header, header)
      for await (const logOffset of file.find({ hash, ...asked })) offsets.add(logOffset)
      if (offsets.size >= limit * 2) break
    }
  } catch (error) {
    // What a damaged index does not find, the log has.
    if (!(error instanceof CorruptionError)) throw error
    return { offsets, end: 0 }
  } finally {
    files.closeAll()
  }
  return { offsets, end }
}

function scanFor(
  log: SegmentFiles,
  from: number,
  wanted: Extract<Wanted, { kind: 'key' }>,
  found: Map<number, Buffer>,
): void {
  const word = Buffer.from(wanted.key)
  scanWholeLog(log, from, {
    record({ properties, sizeBytes }, source, at, logOffset) {
      if (!properties.includes(word)) return
      const record = Buffer.from(source.subarray(at, at + sizeBytes))
      if (hasKey(record, wanted)) found.set(logOffset, record)
    },
    damage() {},
  })
}

function hasKey(record: Buffer, { key, topic, unique }: Extract<Wanted, { kind: 'key' }>): boolean {
  if (!unique) return recordHasKey(record, topic, key)
  const scanned = scanRecord(record, 0, false)
  if (scanned.kind !== 'record' || scanned.record.topic !== topic) return false
  return decodeProperties(scanned.record.properties).get('UNIQ_KEY') === key
}

function dumped(bytes: Buffer): DumpedMessage {
  const scanned = scanRecord(bytes, 0, false)
  if (scanned.kind !== 'record') throw new InspectError('The record changed while it was read.')
  const { record } = scanned
  const { bornHost, storeHost } = record
  const { body, notes } = decompressed(record)
  return {
    ...record,
    bornHost: `${ipText(bornHost.ip)}:${bornHost.port}`,
    storeHost: `${ipText(storeHost.ip)}:${storeHost.port}`,
    offsetMessageId: offsetMessageId(offsetIdPrefix(storeHost), record.logOffset),
    properties: Object.fromEntries(decodeProperties(record.properties)),
    body,
    bodyNotes: [...(isSound(record) ? [] : ['its checksum is wrong: it is damaged']), ...notes],
  }
}

function isSound({ body, bodyCrc }: StoredRecord): boolean {
  return body.length === 0 || (crc32(body) & 0x7fff_ffff) === bodyCrc
}

function decompressed({ body, sysFlag }: StoredRecord): { body: Buffer; notes: string[] } {
  const compression = compressionOf(sysFlag)
  if (compression === 'none') return { body, notes: [] }
  if (compression !== 'zlib') {
    return { body, notes: [`it is compressed with ${compression}, and shown as it is stored`] }
  }
  try {
    const whole = inflateSync(body, { maxOutputLength: MAX_BODY_BYTES })
    return { body: whole, notes: [`${body.length} bytes of zlib in the log`] }
  } catch {
    return { body, notes: ['it is said to be zlib, but cannot be decompressed'] }
  }
}
