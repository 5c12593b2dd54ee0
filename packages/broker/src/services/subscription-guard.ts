/**
 * Watches that the members of a consumer group subscribe to the same. Off, it looks at nothing; at
 * `warn` it says so once; at `strict` it keeps the odd one out of the group, except in a transition
 * that an operator has declared. Owns who was refused and what was said.
 */
import type { Host } from '@rockhopper/host'
import { asNumber, type ConsumerData, groupAttribute } from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import type { BrokerConfig } from '../config.ts'
import { MAX_REPORTED_DIFFERENCES } from '../limits.ts'
import {
  type Announcement,
  announcementKey,
  difference,
  isComparable,
} from '../rules/subscription-differences.ts'
import { systemGroups } from '../rules/system-topics.ts'
import type { ClientTable, Identity } from '../tables/clients.ts'
import type { GroupTable } from '../tables/groups.ts'

const guardModes = ['off', 'warn', 'strict'] as const

type GuardMode = (typeof guardModes)[number]

/** What all who agree say, and how many they are; the one that is there longest speaks for them. */
interface Opinion {
  readonly key: string
  readonly speaker: Announcement
  count: number
}

export class SubscriptionGuard {
  readonly #host: Host
  readonly #config: BrokerConfig
  readonly #clients: ClientTable
  readonly #groups: GroupTable
  /** Why a connection was kept out, by group. */
  readonly #refused = new Map<Connection, Map<string, string>>()
  /** Pairs of opinions that the log has, by group. */
  readonly #reported = new Map<string, Set<string>>()
  /** Keys of announcements that were compared before: members repeat themselves. */
  readonly #keys = new WeakMap<ConsumerData, string>()
  #differences = 0
  #refusals = 0

  constructor(host: Host, config: BrokerConfig, clients: ClientTable, groups: GroupTable) {
    this.#host = host
    this.#config = config
    this.#clients = clients
    this.#groups = groups
  }

  /**
   * Compares what a client announces with the group. The result says why it may not be a member;
   * undefined lets it in.
   */
  refusal(data: ConsumerData, client: Identity): string | undefined {
    const group = data.groupName
    const mode = this.#mode(group)
    const key = this.#keyOf(data)
    const opinions = mode === 'off' ? [] : this.#opinions(group, { client, key })
    const [prevailing] = opinions
    if (prevailing === undefined) this.#reported.delete(group)
    if (prevailing === undefined || !isComparable(data)) return this.#admit(group, client)
    if (prevailing.key === key) {
      if (opinions.length === 1) this.#reported.delete(group)
      return this.#admit(group, client)
    }
    const announcement = { clientId: client.clientId, data }
    const sentence = difference(announcement, prevailing.speaker)
    const refuses = mode === 'strict' && !this.#isInTransition(group)
    if (this.#isNew(group, key, prevailing.key)) this.#report(group, sentence, refuses)
    if (!refuses) return this.#admit(group, client)
    return this.#refuse(group, client, sentence)
  }

  /** Why a connection may not read for a group; undefined when it may. */
  refusalOf(group: string, connection: Connection): string | undefined {
    return this.#refused.size === 0 ? undefined : this.#refused.get(connection)?.get(group)
  }

  /** How the members of a group differ, in sentences; empty when they agree. */
  differencesOf(group: string): string[] {
    const [prevailing, ...others] = this.#opinions(group)
    if (prevailing === undefined) return []
    return others.map(({ count, speaker }) => {
      const sentence = difference(speaker, prevailing.speaker)
      return `${sentence} (${count} against ${prevailing.count} of the group's members)`
    })
  }

  disconnected(connection: Connection): void {
    this.#refused.delete(connection)
  }

  /** For the runtime information: groups that differ now, and what happened since the start. */
  figures(): Record<string, string> {
    const groups = [...this.#clients.consumers()]
    const differing = groups.filter(
      ({ group, members }) => members.size > 1 && this.#opinions(group).length > 1,
    )
    return {
      subscriptionGuard: this.#config.subscriptionGuard,
      subscriptionDifferentGroups: String(differing.length),
      subscriptionDifferencesTotal: String(this.#differences),
      subscriptionRefusalsTotal: String(this.#refusals),
    }
  }

  #keyOf(data: ConsumerData): string {
    const known = this.#keys.get(data)
    if (known !== undefined) return known
    const key = announcementKey(data)
    this.#keys.set(data, key)
    return key
  }

  /** Tools share the groups of the system, each with topics of its own. */
  #mode(group: string): GuardMode {
    if (systemGroups.includes(group)) return 'off'
    const own = this.#groups.get(group)?.attributes[groupAttribute.guard]
    return guardModes.find((mode) => mode === own) ?? this.#config.subscriptionGuard
  }

  #isInTransition(group: string): boolean {
    const untilMs = asNumber(this.#groups.get(group)?.attributes[groupAttribute.transitionUntil])
    return this.#host.clock.nowMs() < untilMs
  }

  /**
   * What members say, the opinion of the most first, then the oldest. A client that speaks now counts
   * only when it says what it said before.
   */
  #opinions(group: string, now?: { readonly client: Identity; readonly key: string }): Opinion[] {
    const opinions = new Map<string, Opinion>()
    for (const member of this.#clients.consumersOf(group)?.members.values() ?? []) {
      const { announced, clientId, connection } = member
      if (!isComparable(announced)) continue
      const key = this.#keyOf(announced)
      const repeats = connection === now?.client.connection && key === now.key
      if (clientId === now?.client.clientId && !repeats) continue
      const known = opinions.get(key)
      if (known === undefined) {
        opinions.set(key, { key, speaker: { clientId, data: announced }, count: 1 })
      } else known.count++
    }
    return [...opinions.values()].sort((left, right) => right.count - left.count)
  }

  /** Whether this pair of opinions was not reported since the group last agreed. */
  #isNew(group: string, left: string, right: string): boolean {
    const pair = [left, right].sort().join(' ')
    const reported = this.#reported.get(group) ?? new Set()
    if (reported.has(pair) || reported.size >= MAX_REPORTED_DIFFERENCES) return false
    this.#reported.set(group, reported.add(pair))
    return true
  }

  #report(group: string, difference: string, refused: boolean): void {
    this.#differences++
    const sentence = refused
      ? 'A consumer was kept out of its group, whose members subscribe differently.'
      : 'Members of a consumer group subscribe differently: some of them miss messages.'
    this.#host.logger.warn(sentence, { group, difference })
  }

  #admit(group: string, { connection }: Identity): undefined {
    const refusals = this.#refused.get(connection)
    if (refusals?.delete(group) === true && refusals.size === 0) this.#refused.delete(connection)
    return undefined
  }

  #refuse(group: string, { clientId, connection }: Identity, sentence: string): string {
    const why =
      `client "${clientId}" may not be a member of group "${group}", for its subscription is not ` +
      `that of the others: ${sentence}. Make them equal, or give it another group; for a rolling ` +
      `change declare a transition with mqadmin subscriptionTransition -g ${group}`
    const refusals = this.#refused.get(connection) ?? new Map<string, string>()
    if (!refusals.has(group)) this.#refusals++
    this.#refused.set(connection, refusals.set(group, why))
    return why
  }
}
