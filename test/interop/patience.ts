/**
 * How long the interop tests wait for what must come. Machines may be busy with other things, and a
 * JVM that starts among others takes its time: only what is broken takes so long.
 */
export const patienceMs = 120_000
