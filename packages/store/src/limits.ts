/**
 * Every limit of a store that is not a setting, by name, with what happens at it.
 */
const KIB = 1024
const MIB = 1024 * KIB

/** A part of the tail in memory; a larger record or batch gets a part of its own size. */
export const TAIL_CHUNK_BYTES = MIB

/** Parts of the tail that wait to be used again; more are given back. */
export const MAX_SPARE_CHUNKS = 4

/** Room for the log is taken, or seen, this far at a time before messages are accepted into it. */
export const PREPARE_BYTES = MIB

/** Accepted and not written; beyond it a message is written before the next is accepted. */
export const MAX_PENDING_BYTES = 16 * MIB

/** With so much free room it is enough to have seen it: nobody fills it before the next look. */
export const AMPLE_ROOM_BYTES = 256 * MIB

/** How long room that was seen is believed in. */
export const AMPLE_ROOM_MS = 100

/** After the disk refused to grow the log, messages are refused so long before it is asked anew. */
export const RETRY_FULL_DISK_MS = 100

/** Open files of segments; beyond it the one unused for the longest time is closed. */
export const MAX_OPEN_FILES = 256

/** Units looked at by one read, unless set; behind them the reader goes on with its next request. */
export const MAX_UNITS_PER_READ = 800

/** How long a sync of few pages is put off at the most, unless set. */
export const FLUSH_THOROUGH_MS = 10_000

/** What is kept in memory of the log's files is kept by windows of this size. */
export const COLD_WINDOW_BYTES = MIB

/** Windows that are kept; beyond it the one unused for the longest time is forgotten. */
export const MAX_COLD_WINDOWS = 32

/** Windows that are read ahead of one reader at the most. */
export const READ_AHEAD_WINDOWS = 4

/** Windows read ahead that nobody has asked for yet; beyond it none is read ahead. */
export const MAX_WINDOWS_AHEAD = 16

/** Units of one queue that are read at first, and then ahead; queues of which some are kept. */
export const UNITS_AT_FIRST = 256
export const UNITS_PER_WINDOW = 2_048
export const MAX_UNIT_WINDOWS = 256

/**
 * After so many reads of pieces of a window it is read whole, which costs as much as they do; a long
 * piece counts for several.
 */
export const PIECES_PER_WINDOW = 12
export const COLD_PIECE_BYTES = 64 * KIB

/** Windows of which it is known how many pieces were read; the one read first is forgotten. */
export const MAX_TOUCHED_WINDOWS = 64

/** Records with less than this between them are read from a file together. */
export const COLD_GAP_BYTES = 64 * KIB

/** Read for a record of unknown size; a longer one is read anew. */
export const COLD_HEAD_BYTES = 4 * KIB

/** Records from files that one read with a filter looks at; the first one whatever its size. */
export const COLD_FILTER_BYTES = MIB

/** Compared with their sums in one turn of the loop: about 2 ms. */
export const COLD_CHECK_BYTES = 4 * MIB

/** Read at a time by who goes over the records of the log; a larger record gets its own size. */
export const WALK_WINDOW_BYTES = MIB

/** Damaged places of the log that are reported; no more are told of until the next start. */
export const MAX_DAMAGE_NOTICES = 1_000

/** Messages that are known to be lost; those beyond are looked for anew each time they are read. */
export const MAX_LOST_MESSAGES = 10_000

/** Read at a time by the scan of the log at the start; a larger record gets its own size. */
export const SCAN_WINDOW_BYTES = 4 * MIB

/** So far a sound record is looked for behind a bad one, and at the head of the next segment. */
export const LOOK_AHEAD_BYTES = 16 * MIB

/** Compared with their sums, or taken into them, at a time at the start. */
export const COVER_WINDOW_BYTES = MIB

/** Written again at a time, at the start after a crash. */
export const REWRITE_WINDOW_BYTES = MIB

/** Units made anew from the log at a start before those in memory go into their files. */
export const RESTORED_AT_A_TIME = 100_000

/** Queues that are saved before other work gets its turn. */
export const QUEUES_PER_TURN = 32

/** How often it is looked at whether a checkpoint is due. */
export const CHECKPOINT_TICK_MS = 250

/** How long something new in the log waits for a checkpoint at the most. */
export const CHECKPOINT_INTERVAL_MS = 10_000

/** So many new bytes of log make a checkpoint due before its time: they bound the next recovery. */
export const CHECKPOINT_LOG_BYTES = 128 * MIB

/** Part of the time in which queues are saved while nobody waits for it. */
export const SAVING_SHARE = 0.05

/** Time that is owed to others is left to them from so much on. */
export const LEAST_PAUSE_MS = 5

/** With so much new log a checkpoint takes all the time it needs: the next start must not wait. */
export const HURRY_LOG_BYTES = 2048 * MIB

/** Files of queues that are synced side by side. */
export const SYNCS_AT_A_TIME = 4

/** Longest name of a topic, in UTF-8; a message of a longer one is refused. */
export const MAX_TOPIC_BYTES = 255

/** A record that claims to be longer is taken for broken when the log is scanned. */
export const MAX_RECORD_BYTES = 256 * MIB

/** Periods of the retention before its first run: with Apache's 10 s its first minute is quiet. */
export const RETENTION_PERIODS_BEFORE_FIRST = 6

/** Runs in which expired files are removed at any hour, after an operator has asked for it. */
export const ASKED_RETENTION_RUNS = 20

/** Entries of the key index in memory; when it is full of them, they go to the file. */
export const INDEX_BUFFER_ENTRIES = 32_768

/** New entries after which the slots of the key index are written: they bound the next start. */
export const INDEX_SAVE_ENTRIES = 1_000_000

/** Bytes of slots that are written before other work gets its turn. */
export const INDEX_WRITE_BYTES = MIB

/** Entries of the key index that have one checksum, and are read together by a query. */
export const INDEX_PAGE_ENTRIES = 512

/** Reads from one file of the key index for one query; what lies further back is not found. */
export const INDEX_CHAIN_READS = 10_000

/**
 * Records that the key index looks at before other work gets its turn, about half a millisecond: more
 * than a turn brings, or it would fall behind and have to read from files.
 */
export const INDEX_TURN_RECORDS = 2048

/** Bytes of log that the key index reads from a file at a time. */
export const INDEX_READ_BYTES = 256 * KIB

/** Pause before the key index tries again what the disk had no room for. */
export const INDEX_RETRY_MS = 1_000

/** How long a store that closes waits for the key index to come up to the log. */
export const INDEX_FINISH_MS = 2_000

/** How long a query waits for the key index to come up to what is confirmed. */
export const INDEX_WAIT_MS = 1_000

/** How often one query has damaged files of the key index made anew. */
export const INDEX_RENEWALS = 3

/** Most bytes of records that one query by key answers with; the first is given in any case. */
export const MAX_KEY_QUERY_BYTES = 8 * MIB

/** Units of a queue that have one checksum, as many as are read ahead. */
export const UNITS_PER_SUM = 2_048

/** So much of the file of queue ends may be out of date before it is made anew, besides a half. */
export const QUEUE_ENDS_SLACK_BYTES = 256 * KIB

/** A record of another log that has come in part is kept in memory; a longer one is not taken. */
export const MAX_COPIED_RECORD_BYTES = 32 * MIB
