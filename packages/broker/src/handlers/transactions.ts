/**
 * END_TRANSACTION: a producer says what becomes of a half message, by itself or because it was asked.
 * Source: Apache class EndTransactionProcessor; `broker-api.md` section 3.6.
 */

import type { Logger } from '@rockhopper/host'
import { END_TRANSACTION, responseCode, sysFlag } from '@rockhopper/protocol'
import { Refusal, type RequestContext, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import type { EndHeader } from '../rules/transaction-end.ts'
import type { EndOutcome, Transactions } from '../services/transactions.ts'

export interface TransactionHandlerParts {
  readonly logger: Logger
  readonly store: Store
  readonly transactions: Transactions
}

const { transactionCommit, transactionRollback } = sysFlag

export function handleTransactions(router: Router, parts: TransactionHandlerParts): void {
  router.on(END_TRANSACTION, async (header, context) => {
    const { commitOrRollback: bits } = header
    // Who does not know yet is asked again.
    if (bits !== transactionCommit && bits !== transactionRollback) return undefined
    const outcome = await parts.transactions.end(header, bits)
    return answer(outcome, header, context, parts)
  })
}

function answer(
  outcome: EndOutcome,
  header: EndHeader,
  { connection }: RequestContext,
  parts: TransactionHandlerParts,
) {
  switch (outcome.kind) {
    case 'ended':
      return settled(outcome.endOffset, parts)
    case 'over':
      return { remark: 'the transaction was over before: nothing was changed' }
    case 'refused': {
      // Who sends one way, as clients do, does not hear of it.
      const { code, reason } = outcome
      const { msgId, producerGroup } = header
      const fields = { reason, producerGroup, msgId, client: connection.remote }
      parts.logger.warn('A transaction was not ended as its producer asked.', fields)
      throw new Refusal(code, reason)
    }
  }
}

async function settled(endOffset: number, { store }: TransactionHandlerParts) {
  const outcome = await store.settled(endOffset, { waitForFlush: false })
  if (outcome === 'ok') return {}
  const sentence = `the end of the transaction may be lost: ${outcome}`
  throw new Refusal(responseCode.SYSTEM_ERROR, sentence)
}
