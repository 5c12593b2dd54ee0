/**
 * How long a body of JSON may be that a client sends. Nobody else is served while it is read.
 */
import { responseCode } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import { MAX_JSON_BODY_BYTES } from '../limits.ts'

/** The body itself. Throws `Refusal` when it is longer than any client needs. */
export function shortBody(body: Buffer): Buffer {
  if (body.length <= MAX_JSON_BODY_BYTES) return body
  throw new Refusal(
    responseCode.INVALID_PARAMETER,
    `the body has ${body.length} bytes, ${MAX_JSON_BODY_BYTES} are possible for this request`,
  )
}
