/**
 * The disk lied: what is in a file cannot be what was written into it.
 */
export class CorruptionError extends Error {
  override readonly name = 'CorruptionError'
  readonly path: string
  /** Position in the file, or in the commit log when the sentence says so. */
  readonly offset: number

  constructor(path: string, offset: number, message: string) {
    super(message)
    this.path = path
    this.offset = offset
  }
}
