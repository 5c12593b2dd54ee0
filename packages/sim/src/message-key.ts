/**
 * How the messages of a simulation are told apart: the body of each begins with its key, which is the
 * name of its producer and a number. Pure.
 */

/** The body of a message begins with its key. */
export function bodyOf(key: string, filling: string): string {
  return `${key} ${filling}`
}

/** The key that a body begins with; empty when it begins with none. */
export function keyOf(body: string): string {
  return /^[a-z]+-\d+\/\d+(?= )/.exec(body)?.[0] ?? ''
}
