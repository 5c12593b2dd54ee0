/**
 * How far the log has come, as four offsets that only grow. Owns none of them: each has the writer
 * that is named here.
 */
import type { Watermark } from '../watermark.ts'

export interface Marks {
  /** Handed to the operating system; survives the death of the process. By the log writer. */
  readonly written: Watermark
  /** On the device; survives the loss of power. By the log flusher. */
  readonly flushed: Watermark
  /** Safe to show to consumers: `flushed` or `written`, as the store is configured. */
  readonly confirmed: Watermark
  /** Visible in the queues. By the dispatcher. */
  readonly dispatched: Watermark
}
