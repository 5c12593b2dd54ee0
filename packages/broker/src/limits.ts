/**
 * Every limit of a broker that is not a setting, by name, with what happens at it.
 */

/** Held pulls; beyond it a pull that finds nothing is answered at once. */
export const MAX_HELD_PULLS = 100_000

/** A pull is never held longer, whatever the client asks for; Java clients wait for 30 s. */
export const MAX_HOLD_MS = 30_000

/** Most messages of one pull answer. */
export const MAX_PULL_MESSAGES = 1_024

/** Topics a broker keeps; beyond it a topic is not created any more. */
export const MAX_TOPICS = 100_000

/** Consumer groups a broker keeps; beyond it a group is not created any more. */
export const MAX_GROUPS = 100_000

/** Topics or groups of one answer to a slave that asks for them in parts; it asks for the rest. */
export const MAX_ROWS_PER_PAGE = 2_000

/** Queues of one topic; more are refused. */
export const MAX_QUEUES_PER_TOPIC = 16_384

/** Silence of a client after which it is taken out of its groups and its connection is closed. */
export const CLIENT_EXPIRY_MS = 120_000

/** How often silent clients are looked for. */
export const CLIENT_SWEEP_MS = 10_000

/** Groups in one heartbeat; more are refused. */
export const MAX_GROUPS_PER_HEARTBEAT = 1_000

/** Characters of SQL92 expressions that are kept compiled; the one unused for longest goes first. */
export const MAX_COMPILED_CHARS = 1_000_000

/**
 * Bytes of properties that the filter of one read looks at, parts of the filter counted as 16 each;
 * at it the read ends with what it has. About 2 ms, or thousands of usual messages.
 */
export const MAX_FILTER_WORK_PER_READ = 1_000_000

/** JSON in the body of a heartbeat or of a group's settings; a longer one is refused unread. */
export const MAX_JSON_BODY_BYTES = 1024 * 1024

/** Delayed messages that are delivered before other work gets its turn, and their bytes. */
export const MAX_DUE_MESSAGES = 256
export const MAX_DUE_BYTES = 1024 * 1024

/** So long at the most it is waited for a delayed message without a look at the wall clock. */
export const CLOCK_LOOK_MS = 1_000

/** Pause before delayed messages are delivered that the store did not take. */
export const DELIVER_AGAIN_MS = 100

/** Transactions that are open at a time; beyond it a half message is refused as of a busy broker. */
export const MAX_OPEN_TRANSACTIONS = 1_000_000

/** Transactions that can still be committed though they were given up; the oldest goes first. */
export const MAX_GIVEN_UP = 10_000

/** Producers that are asked about transactions before other work gets its turn. */
export const MAX_CHECKS_PER_TURN = 64

/** Pause before it is tried again to look at transactions, or to find out which are open. */
export const CHECK_AGAIN_MS = 1_000

/** Queues that clients have for themselves; beyond it no further queue is given to anybody. */
export const MAX_QUEUE_LOCKS = 1_000_000

/** How long a client keeps queues for itself whose connection is gone, if it asked for that. */
export const ORPHANED_LOCK_MS = 5_000

/** Pairs of differing subscriptions of one group that the log has; more are counted no further. */
export const MAX_REPORTED_DIFFERENCES = 16

/** Entries of a consume queue in one answer; a request for more gets so many. */
export const MAX_QUERIED_ENTRIES = 1_024

/** How long a client may take for what an operator asks of it through the broker (Apache: 10 s). */
export const RELAY_TIMEOUT_MS = 10_000

/** How long a client may take to tell its offsets (Apache: 5 s). */
export const CLIENT_STATUS_TIMEOUT_MS = 5_000

/** Timed messages that wait, 24 bytes of memory each; beyond it a send of one is refused. */
export const MAX_PENDING_TIMERS = 20_000_000

/** So many timed messages that wait make the period longer in which they are saved, by one of it. */
export const TIMERS_PER_SAVE_PERIOD = 200_000

/** Messages of one answer to an operator who looks at those that wait; a request for more gets so many. */
export const MAX_LISTED = 1_000

/** Waiting messages that are looked through for such an answer; what is behind them is left out. */
export const MAX_LOOKED_THROUGH = 5_000

/** How long a master that starts waits for the answers of name servers and slaves about its log. */
export const RESCUE_ASK_MS = 3_000

/** A master that copies what it lost gives up when nothing has come for so long. */
export const RESCUE_STALL_MS = 10_000
