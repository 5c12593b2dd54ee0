/**
 * Whether a group, and a client of it, may read a topic at the moment, beyond what the settings of
 * the group and the topic say by themselves. Owns nothing.
 * Source: Apache class PullMessageProcessor; `broker-api.md` section 4.
 */
import { responseCode } from '@rockhopper/protocol'
import { type Connection, Refusal } from '@rockhopper/remoting'
import type { ClientTable } from '../tables/clients.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { SubscriptionGuard } from './subscription-guard.ts'

export class ReaderAdmission {
  readonly #clients: ClientTable
  readonly #groups: GroupTable
  readonly #guard: SubscriptionGuard

  constructor(clients: ClientTable, groups: GroupTable, guard: SubscriptionGuard) {
    this.#clients = clients
    this.#groups = groups
    this.#guard = guard
  }

  /**
   * Throws `Refusal` when an operator forbade the group to read the topic, when the group broadcasts
   * and may not, or when the subscription guard keeps the client out of the group.
   */
  admit(group: string, topic: string, connection: Connection): void {
    if (!this.#groups.mayRead(group, topic)) {
      throw new Refusal(
        responseCode.NO_PERMISSION,
        `the consumer group[${group}] is forbidden for topic[${topic}]: an operator said so`,
      )
    }
    const isBroadcasting = this.#clients.consumersOf(group)?.messageModel === 'BROADCASTING'
    if (isBroadcasting && this.#groups.get(group)?.consumeBroadcastEnable === false) {
      throw new Refusal(
        responseCode.NO_PERMISSION,
        `the consumer group[${group}] can not consume by broadcast way: its ` +
          'consumeBroadcastEnable is false',
      )
    }
    const refusal = this.#guard.refusalOf(group, connection)
    if (refusal !== undefined) throw new Refusal(responseCode.NO_PERMISSION, refusal)
  }
}
