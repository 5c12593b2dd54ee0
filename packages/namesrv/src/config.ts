/**
 * The name server's configuration: Apache's keys, as a table. A key that only Apache's name server
 * has is listed with the reason why it has no effect here.
 * Source: Apache classes NamesrvConfig, NettyServerConfig; `namesrv.md` section 10.
 */
import { isAbsolute } from 'node:path'
import {
  type ConfigOf,
  type ConfigSource,
  configTable,
  type ReadConfig,
  readConfig,
  setting,
} from '@rockhopper/protocol'

const { bool, int, text } = setting

export const namesrvConfigTable = configTable({
  listenPort: int({ default: 9876, max: 65_535, meaning: 'port to listen on; 0 picks a free one' }),
  bindAddress: text({
    default: '127.0.0.1',
    meaning: 'address to listen on; 0.0.0.0 for all of this machine',
  }),
  kvConfigPath: text({
    default: '~/namesrv/kvConfig.json',
    check: absolutePath,
    meaning: 'file of the settings that operators keep here',
  }),
  configStorePath: text({
    default: '~/namesrv/namesrv.properties',
    check: absolutePath,
    meaning: 'file that changes at run time are written to; with -c FILE it is that file',
  }),
  scanNotActiveBrokerInterval: int({
    default: 5_000,
    min: 10,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'time between two looks for silent brokers',
  }),
  serverChannelMaxIdleTimeSeconds: int({
    default: 120,
    min: 1,
    max: 86_400,
    unit: 'seconds',
    meaning: 'silence in both directions after which a connection is closed',
  }),
  orderMessageEnable: bool({
    default: false,
    changeable: true,
    meaning: 'whether a route tells the order configuration of its topic',
  }),
  returnOrderTopicConfigToBroker: bool({
    default: true,
    changeable: true,
    meaning: 'whether a broker that registers is told which topics are ordered',
  }),
  enableAllTopicList: bool({
    default: true,
    changeable: true,
    meaning: 'whether all topics may be listed',
  }),
  enableTopicList: bool({
    default: true,
    changeable: true,
    meaning: 'whether the topics of one cluster may be listed',
  }),
  supportActingMaster: bool({
    default: false,
    changeable: true,
    meaning: 'whether a slave is shown as the master that its group has lost, for reading',
  }),
  deleteTopicWithBrokerRegistration: bool({
    default: false,
    changeable: true,
    meaning: 'whether topics that a broker no longer registers are forgotten',
  }),
  needWaitForService: bool({
    default: false,
    meaning: 'whether routes are refused for some time after the start',
  }),
  waitSecondsForService: int({
    default: 45,
    max: 3_600,
    unit: 'seconds',
    meaning: 'that time',
  }),
  configBlackList: text({
    default: 'configBlackList;configStorePath;kvConfigPath',
    meaning: 'keys joined by ";" that may not change at run time, beside those that never may',
  }),
})

export type NamesrvConfig = ConfigOf<typeof namesrvConfigTable>

function absolutePath(value: string): string | undefined {
  if (isAbsolute(value) || value.startsWith('~/')) return undefined
  return 'an absolute path, or one that begins with ~/'
}

const ONE_LOOP = 'all requests are handled by one loop, there are no thread pools'
const SYSTEM_BUFFERS = 'the operating system sizes its buffers by itself'
const NOT_NETTY = 'it tunes Netty, which is not used'
const NO_CALLS = 'this name server opens no connections of its own'
const NO_CONTROLLER = 'there is no controller in this name server'

/** Keys of Apache's name server that have no effect, and why. */
const foreign: Readonly<Record<string, string>> = {
  rocketmqHome: 'no home directory is needed',
  productEnvName: 'there is no second environment to ask for missing routes',
  clusterTest: 'there is no second environment to ask for missing routes',
  unRegisterBrokerQueueCapacity: 'a broker is unregistered at once, without a queue',
  notifyMinBrokerIdChanged: 'brokers of a group are not told of each other by this name server',
  clientRequestThreadPoolNums: ONE_LOOP,
  defaultThreadPoolNums: ONE_LOOP,
  clientRequestThreadPoolQueueCapacity: ONE_LOOP,
  defaultThreadPoolQueueCapacity: ONE_LOOP,
  serverWorkerThreads: ONE_LOOP,
  serverCallbackExecutorThreads: ONE_LOOP,
  serverSelectorThreads: ONE_LOOP,
  serverOnewaySemaphoreValue: NO_CALLS,
  serverAsyncSemaphoreValue: NO_CALLS,
  serverSocketSndBufSize: SYSTEM_BUFFERS,
  serverSocketRcvBufSize: SYSTEM_BUFFERS,
  serverSocketBacklog: 'the backlog is fixed',
  writeBufferHighWaterMark: NOT_NETTY,
  writeBufferLowWaterMark: NOT_NETTY,
  serverNettyWorkerGroupEnable: NOT_NETTY,
  serverPooledByteBufAllocatorEnable: NOT_NETTY,
  useEpollNativeSelector: NOT_NETTY,
  enableShutdownGracefully: 'requests at hand are always finished before the end',
  shutdownWaitTimeSeconds: 'requests at hand are always finished before the end',
  clientWorkerThreads: NO_CALLS,
  clientCallbackExecutorThreads: NO_CALLS,
  clientOnewaySemaphoreValue: NO_CALLS,
  clientAsyncSemaphoreValue: NO_CALLS,
  connectTimeoutMillis: NO_CALLS,
  channelNotActiveInterval: NO_CALLS,
  clientChannelMaxIdleTimeSeconds: NO_CALLS,
  clientSocketSndBufSize: NO_CALLS,
  clientSocketRcvBufSize: NO_CALLS,
  clientPooledByteBufAllocatorEnable: NO_CALLS,
  clientCloseSocketIfTimeout: NO_CALLS,
  useTLS: NO_CALLS,
  socksProxyConfig: NO_CALLS,
  disableCallbackExecutor: NO_CALLS,
  disableNettyWorkerGroup: NO_CALLS,
  maxReconnectIntervalTimeSeconds: NO_CALLS,
  enableReconnectForGoAway: NO_CALLS,
  enableTransparentRetry: NO_CALLS,
  enableControllerInNamesrv: NO_CONTROLLER,
  controllerType: NO_CONTROLLER,
  controllerDLegerGroup: NO_CONTROLLER,
  controllerDLegerPeers: NO_CONTROLLER,
  controllerDLegerSelfId: NO_CONTROLLER,
  controllerStorePath: NO_CONTROLLER,
  controllerThreadPoolNums: NO_CONTROLLER,
  controllerRequestThreadPoolQueueCapacity: NO_CONTROLLER,
  enableElectUncleanMaster: NO_CONTROLLER,
  isProcessReadEvent: NO_CONTROLLER,
  notifyBrokerRoleChanged: NO_CONTROLLER,
  scanInactiveMasterInterval: NO_CONTROLLER,
  electMasterMaxRetryCount: NO_CONTROLLER,
  mappedFileSize: NO_CONTROLLER,
}

/** How texts with this configuration are read: `source` begins each sentence about them. */
export function namesrvConfigSource(source: string): ConfigSource {
  return { source, foreign }
}

/**
 * Reads a configuration file's text. Throws `ConfigError` naming every unknown key and bad value.
 * `source` is the file's name.
 */
export function readNamesrvConfig(
  text: string,
  source: string,
): ReadConfig<typeof namesrvConfigTable> {
  return readConfig(namesrvConfigTable, text, namesrvConfigSource(source))
}

/** Keys that may never change at run time, whatever the black list says. */
const ALWAYS_BLACK_LISTED = ['configBlackList', 'configStorePath', 'kvConfigPath', 'rocketmqHome']

/** Whether a key is on the black list of a configuration. */
export function isBlackListed(config: NamesrvConfig, key: string): boolean {
  if (ALWAYS_BLACK_LISTED.includes(key)) return true
  return config.configBlackList.split(';').some((listed) => listed.trim() === key)
}
