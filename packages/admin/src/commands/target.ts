/** The pair of options that says where a verb works: one broker or a whole cluster. */
import { AdminError } from '../errors.ts'
import type { Target } from '../operations/clusters.ts'
import { text } from '../options.ts'

export const targetOptions = {
  brokerAddr: text('b', 'work on this broker only, given as ip:port'),
  clusterName: text('c', 'work on all masters of this cluster'),
}

/** Throws `AdminError` unless exactly one of the two is given. */
export function targetOf(options: {
  readonly brokerAddr?: string
  readonly clusterName?: string
}): Target {
  const { brokerAddr, clusterName } = options
  if (brokerAddr !== undefined && clusterName === undefined) return { brokerAddr }
  if (clusterName !== undefined && brokerAddr === undefined) return { clusterName }
  throw new AdminError(
    'Name either one broker with -b, or a whole cluster with -c (see mqadmin clusterList).',
  )
}
