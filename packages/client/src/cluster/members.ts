/**
 * Asks brokers who the members of a group are. Each broker of a topic knows all of them, for all
 * send it heartbeats; one that was started a moment ago does not yet, and of a member that is cut
 * off some brokers know and others do not. So several are asked, the same ones by every member, and
 * who is known to any of them counts: all members come to one list. Source: `client.md` section 5,
 * `broker-api.md` section 6.4. Owns what was answered during one look.
 */
import type { Host, Timer } from '@rockhopper/host'
import {
  decodeConsumerIds,
  GET_CONSUMER_LIST_BY_GROUP,
  type TopicRouteData,
} from '@rockhopper/protocol'
import type { RemotingClient } from '@rockhopper/remoting'

const MEMBERS_TIMEOUT_MS = 3_000
/** So many brokers of a topic are asked at a time; others only when none of these answers. */
const ASKED_TOGETHER = 3
/** How long the other brokers are waited for when one has answered. */
const GRACE_MS = 500

/** One look at the members of a group, for topics that lie on the same brokers or on others. */
export class MembersLook {
  readonly #host: Host
  readonly #remoting: RemotingClient
  readonly #group: string
  /** By address: each broker is asked once. */
  readonly #answers = new Map<string, Promise<readonly string[]>>()

  constructor(host: Host, remoting: RemotingClient, group: string) {
    this.#host = host
    this.#remoting = remoting
    this.#group = group
  }

  /**
   * Ids of the members in the order that all of them use; undefined when no broker of the topic says
   * anything, or when none knows of any: then nothing should change.
   */
  async of({ brokerDatas }: TopicRouteData): Promise<readonly string[] | undefined> {
    const brokers = [...brokerDatas]
      .sort((one, other) => (one.brokerName < other.brokerName ? -1 : 1))
      .map(({ brokerAddrs }) => byId(brokerAddrs))
    // Slaves hear of members, too: they are asked when no master answers.
    const addresses = [
      ...brokers.flatMap((replicas) => replicas.slice(0, 1)),
      ...brokers.flatMap((replicas) => replicas.slice(1)),
    ]
    for (let at = 0; at < addresses.length; at += ASKED_TOGETHER) {
      const ids = await this.#gather(addresses.slice(at, at + ASKED_TOGETHER))
      if (ids.size > 0) return [...ids].sort()
    }
    return undefined
  }

  /** What some brokers say; those that are late are not waited for when another has answered. */
  #gather(addresses: readonly string[]): Promise<ReadonlySet<string>> {
    const ids = new Set<string>()
    let missing = addresses.length
    let patience: Timer | undefined
    return new Promise((resolve) => {
      const end = (): void => {
        patience?.cancel()
        resolve(new Set(ids))
      }
      const take = (answer: readonly string[]): void => {
        for (const id of answer) ids.add(id)
        missing--
        if (missing === 0) end()
        else if (ids.size > 0) patience ??= this.#host.clock.after(GRACE_MS, end)
      }
      for (const address of addresses) void this.#answerOf(address).then(take)
    })
  }

  #answerOf(address: string): Promise<readonly string[]> {
    const known = this.#answers.get(address)
    if (known !== undefined) return known
    const asked = this.#ask(address)
    this.#answers.set(address, asked)
    return asked
  }

  async #ask(address: string): Promise<readonly string[]> {
    try {
      const options = { timeoutMs: MEMBERS_TIMEOUT_MS }
      const header = { consumerGroup: this.#group }
      const { body } = await this.#remoting.request(
        address,
        GET_CONSUMER_LIST_BY_GROUP,
        header,
        options,
      )
      return decodeConsumerIds(body)
    } catch (error) {
      this.#host.logger.debug('A broker did not name the members of a group.', { address, error })
      return []
    }
  }
}

/** The master first. */
function byId(replicas: ReadonlyMap<number, string>): string[] {
  return [...replicas].sort(([one], [other]) => one - other).map(([, address]) => address)
}
