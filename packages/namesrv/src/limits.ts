/**
 * Every limit of the name server, by name, with what happens at it.
 */

/** Silence after which a broker is dropped, unless its registration says otherwise (Apache: 120 s). */
export const DEFAULT_BROKER_TIMEOUT_MS = 120_000

/** Broker addresses that are kept; a registration beyond is refused. */
export const MAX_BROKERS = 10_000

/**
 * Topics of brokers that are kept, and queues of static topics among them; a registration that would
 * go beyond is refused.
 */
export const MAX_TOPIC_ROWS = 1_000_000

/** Length of a name or address in a registration; one with a longer name is refused. */
export const MAX_NAME_CHARS = 512

/** Filter servers of a broker; a registration with more is refused. */
export const MAX_FILTER_SERVERS = 64

/** Size of the key-value file, written as a whole; a change that would make it larger is refused. */
export const MAX_KV_FILE_BYTES = 4 * 1024 * 1024

/** Changes of settings that wait for the disk; further ones are refused as busy. */
export const MAX_CHANGES_PENDING = 10_000

/** Size of a request to change the configuration; larger ones are refused. */
export const MAX_CONFIG_UPDATE_BYTES = 64 * 1024
