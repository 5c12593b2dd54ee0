/**
 * Turns a body that cannot be read into a refusal that says so.
 */
import { responseCode } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'

/** What `decode` gives. Throws `Refusal` naming the command when it throws `SyntaxError`. */
export function readable<T>(commandName: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const remark = `the body of ${commandName} cannot be read: ${error.message}`
    throw new Refusal(responseCode.SYSTEM_ERROR, remark)
  }
}
