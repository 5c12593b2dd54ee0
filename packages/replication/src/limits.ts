/**
 * Every limit of replication that is not a setting, by name, with what happens at it.
 */
const KIB = 1024
const MIB = 1024 * KIB

/** Bytes of the log that are read and handed over for a slave at a time. */
export const STRETCH_BYTES = 256 * KIB

/** Bytes that wait to leave for a slave; beyond it no more are read for it until they have left. */
export const MAX_BUFFERED_BYTES = MIB

/** Connections of slaves; beyond it one is refused. */
export const MAX_FOLLOWERS = 64

/** How often it is looked who was silent for too long, and whom to tell something. */
export const TICK_MS = 500

/** How long a slave waits for a connection to its master. */
export const CONNECT_TIMEOUT_MS = 3_000

/** Pause of a slave before the next connection when one failed or ended. */
export const RETRY_MS = 1_000

/** The same trouble is told of again only after so long. */
export const TELL_AGAIN_MS = 60_000

/** Troubles of which it is known when they were told; beyond it all are told anew. */
export const MAX_NOTICES = 256

/** How long a slave waits for the welcome of its master: Apache's masters say nothing. */
export const WELCOME_MS = 1_000

/** Bytes that are compared at a time at the most: more than a record and the end of a segment. */
export const COMPARED_BYTES = 33 * MIB

/** Pause of a slave before it looks again whether it may follow a master that has another log. */
export const REFUSED_RETRY_MS = 30_000
