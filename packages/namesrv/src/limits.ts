/**
 * Every limit of the name server, by name, with what happens at it.
 */

/** Silence after which a broker is dropped, unless its registration says otherwise (Apache: 120 s). */
export const DEFAULT_BROKER_TIMEOUT_MS = 120_000

/** Broker addresses that are kept; a registration beyond is refused. */
export const MAX_BROKERS = 10_000

/** Rows of topic and broker that are kept; a registration that would go beyond is refused. */
export const MAX_TOPIC_ROWS = 2_000_000

/** Size of the key-value file; a change that would make it larger is refused. */
export const MAX_KV_FILE_BYTES = 16 * 1024 * 1024

/** Changes of settings that wait for the disk; further ones are refused as busy. */
export const MAX_CHANGES_PENDING = 10_000

/** Size of a request to change the configuration; larger ones are refused. */
export const MAX_CONFIG_UPDATE_BYTES = 64 * 1024
