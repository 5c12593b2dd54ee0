/**
 * Asks brokers whether they understand the filters of a consumer, before it consumes: a mistake in
 * an SQL92 expression would otherwise show only as messages that do not come.
 * Source: Apache class MQClientInstance (checkClientInBroker); `broker-api.md` section 6.3. Owns
 * nothing.
 */
import {
  CHECK_CLIENT_CONFIG,
  encodeClientCheck,
  responseCode,
  type SubscriptionData,
} from '@rockhopper/protocol'
import { RemoteError } from '@rockhopper/remoting'
import type { Cluster } from '../cluster/cluster.ts'
import { badOption, ClientError } from '../errors.ts'

const CHECK_TIMEOUT_MS = 3_000

export interface FilterCheckParts {
  readonly cluster: Cluster
  readonly clientId: string
  readonly group: string
}

/**
 * Shows the filters that are no tags to every broker of their topics. Rejects with `ClientError`
 * BAD_OPTION and the sentence of the broker when one is wrong, with BROKER_REFUSED when a broker does
 * not filter this way. A broker that cannot be reached is not asked: its pulls will tell.
 */
export async function checkFilters(
  parts: FilterCheckParts,
  subscriptions: readonly SubscriptionData[],
): Promise<void> {
  const filtered = subscriptions.filter(({ expressionType }) => expressionType !== 'TAG')
  await Promise.all(filtered.map((subscription) => checkFilter(parts, subscription)))
}

/** The same for a consumer that runs already: it is told of each filter that is refused. */
export async function tellWrongFilters(
  parts: FilterCheckParts,
  subscriptions: readonly SubscriptionData[],
  tell: (topic: string, error: Error) => void,
): Promise<void> {
  const checks = subscriptions.map((subscription) =>
    checkFilters(parts, [subscription]).catch((error: Error) => tell(subscription.topic, error)),
  )
  await Promise.all(checks)
}

async function checkFilter(
  { cluster, clientId, group }: FilterCheckParts,
  subscriptionData: SubscriptionData,
): Promise<void> {
  const { topic } = subscriptionData
  const body = [encodeClientCheck({ clientId, group, namespace: '', subscriptionData })]
  const brokers = cluster.route(topic)?.brokerDatas ?? []
  const addresses = brokers.flatMap(({ brokerAddrs }) => [...brokerAddrs.values()].slice(0, 1))
  await Promise.all(
    addresses.map(async (address) => {
      try {
        const options = { body, timeoutMs: CHECK_TIMEOUT_MS }
        await cluster.remoting.request(address, CHECK_CLIENT_CONFIG, {}, options)
      } catch (error) {
        if (error instanceof RemoteError) throw refused(topic, error)
      }
    }),
  )
}

function refused(topic: string, error: RemoteError): ClientError {
  const { code, remark } = error
  const why = `the filter of the topic "${topic}" was refused: ${remark}`
  if (code === responseCode.SUBSCRIPTION_PARSE_FAILED) {
    return badOption(why, 'correct the expression', { responseCode: code, cause: error })
  }
  const hint = 'set enablePropertyFilter=true at the broker, or filter by tags'
  const parts = { retryable: false, hint, responseCode: code, cause: error }
  return new ClientError('BROKER_REFUSED', why, parts)
}
