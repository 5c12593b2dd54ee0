/**
 * Turns a failure of the disk into a refusal that says what was not saved and why.
 */
import { DiskError } from '@rockhopper/host'
import { responseCode } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'

/** What `saved` gives. Rejects with `Refusal` when it rejects with `DiskError`. */
export async function onDisk<T>(what: string, saved: Promise<T>): Promise<T> {
  try {
    return await saved
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    const remark = `${what} could not be saved: ${error.message}`
    throw new Refusal(responseCode.SYSTEM_ERROR, remark)
  }
}
