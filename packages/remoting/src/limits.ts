/**
 * Every limit of a connection, by name, with what happens at it.
 */

/** Silence in both directions after which a server closes a connection (Apache: 120 s). */
export const IDLE_CONNECTION_MS = 120_000

/** How often a server looks for idle connections. */
export const IDLE_SWEEP_MS = 10_000

/**
 * Encoded bytes at which a connection does not wait for the end of the turn: two peers that exchange
 * large waves would else take turns, each idle while the other works.
 */
export const FLUSH_AT_BYTES = 8 * 1024

/** Unsent bytes of a connection above which no more requests are read from it. */
export const PAUSE_READING_ABOVE_BYTES = 8 * 1024 * 1024

/** Unsent bytes of a connection at which it is closed: its peer has stopped reading. */
export const CLOSE_ABOVE_BYTES = 256 * 1024 * 1024

/** Requests of one connection that wait for an answer; beyond it the request is refused as busy. */
export const MAX_REQUESTS_PER_CONNECTION = 20_000

/** Requests of all connections of a server that wait for an answer; beyond it: SYSTEM_BUSY. */
export const MAX_REQUESTS_IN_FLIGHT = 200_000

/** Requests of ours on one connection without an answer yet; beyond it a request fails at once. */
export const MAX_CALLS_PER_CONNECTION = 65_535

/** Time to establish a connection (Apache: 3 s). */
export const CONNECT_TIMEOUT_MS = 3_000

/** Connections that a server keeps at a time; further ones are closed at once. */
export const MAX_CONNECTIONS = 50_000

/** How long a closing server waits for answers that are still being made. */
export const DRAIN_TIMEOUT_MS = 5_000
