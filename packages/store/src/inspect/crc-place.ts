/**
 * Tells whether a record ends with a checksum of its own. Owns nothing. Source: `store-format.md`
 * section 5.3.
 */
import { CRC_PROPERTY_BYTES, type RecordView } from '@rockhopper/protocol'

const NAME = Buffer.from('__CRC32#\x01')

/** Whether the record, which lies in `source`, has the property `__CRC32#` at its end. */
export function hasCrcProperty({ end, propertiesAt }: RecordView, source: Buffer): boolean {
  const start = end - CRC_PROPERTY_BYTES
  if (start < propertiesAt || source[start] !== NAME[0]) return false
  return source.subarray(start, start + NAME.length).equals(NAME)
}
