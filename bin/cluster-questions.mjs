/**
 * What is asked of the servers of a cluster: whether they are up, and where their logs end. Owns the
 * connections, which `close` ends.
 */
import { built } from './built.mjs'

const TIMEOUT_MS = 1_500

/** @typedef {import('./cluster-set.mjs').Server} Server */

/**
 * @typedef {{ logEnd: number }} Figures
 */

/** Makes the one who asks. */
export async function questions() {
  const { nodeHost, pinoLogger } = await built('host')
  const { RemotingClient } = await built('remoting')
  const protocol = await built('protocol')
  const client = new RemotingClient(nodeHost({ logger: pinoLogger({ destination: 2 }) }))
  return new Questions(client, protocol)
}

class Questions {
  #client
  #protocol

  /**
   * @param {any} client
   * @param {any} protocol
   */
  constructor(client, protocol) {
    this.#client = client
    this.#protocol = protocol
  }

  /**
   * The brokers that a name server knows: `NAME ID` → address; undefined when it does not answer.
   * @param {string} nameServer
   * @returns {Promise<Map<string, string> | undefined>}
   */
  async registered(nameServer) {
    const { decodeClusterInfo, GET_BROKER_CLUSTER_INFO } = this.#protocol
    const body = await this.#ask(nameServer, GET_BROKER_CLUSTER_INFO)
    if (body === undefined) return undefined
    const brokers = new Map()
    for (const [name, { brokerAddrs }] of decodeClusterInfo(body).brokerAddrTable) {
      for (const [id, address] of brokerAddrs) brokers.set(`${name} ${id}`, address)
    }
    return brokers
  }

  /**
   * Where a broker is; undefined when it does not answer.
   * @param {string} address
   * @returns {Promise<Figures | undefined>}
   */
  async figures(address) {
    const { decodeKvTable, GET_BROKER_RUNTIME_INFO } = this.#protocol
    const body = await this.#ask(address, GET_BROKER_RUNTIME_INFO)
    if (body === undefined) return undefined
    const table = decodeKvTable(body)
    return { logEnd: Number(table.get('commitLogMaxOffset') ?? 0) }
  }

  close() {
    this.#client.close()
  }

  /**
   * @param {string} address
   * @param {unknown} command
   */
  async #ask(address, command) {
    try {
      const answer = await this.#client.request(address, command, {}, { timeoutMs: TIMEOUT_MS })
      return answer.body
    } catch {
      return undefined
    }
  }
}
