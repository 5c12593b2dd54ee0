/** How long something takes in a simulation: somewhere between two bounds, in milliseconds. */
export type DelayRange = readonly [leastMs: number, mostMs: number]
