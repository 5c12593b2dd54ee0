/**
 * The settings of masters and slaves, a part of the broker's table.
 */
import { parseAddress } from '@rockhopper/host'
import { setting } from '@rockhopper/protocol'

const { bool, choice, int, text } = setting

const MIB = 1024 * 1024

export const replicationSettings = {
  brokerRole: choice({
    default: 'ASYNC_MASTER',
    choices: ['ASYNC_MASTER', 'SYNC_MASTER', 'SLAVE'],
    meaning: 'role in replication: whether it copies a master, or is one that waits for its slaves',
  }),
  haListenPort: int({
    default: 0,
    max: 65_535,
    defaultShown: 'listenPort + 1',
    meaning: 'port of a master for its slaves',
  }),
  brokerIP2: text({
    default: '',
    defaultShown: 'brokerIP1',
    meaning: 'address that slaves are told to connect to',
  }),
  haMasterAddress: text({
    default: '',
    defaultShown: 'what the name servers tell',
    check: (value) =>
      value === '' || parseAddress(value) !== undefined ? undefined : 'an address host:port',
    meaning: 'where the master of this slave takes slaves, host:port',
  }),
  haSendHeartbeatInterval: int({
    default: 5_000,
    min: 100,
    unit: 'ms',
    meaning: 'how often master and slave tell each other something at the least',
  }),
  haHousekeepingInterval: int({
    default: 10_000,
    min: 1_000,
    unit: 'ms',
    meaning:
      'silence after which master and slave give up their connection, more than twice ' +
      "haSendHeartbeatInterval of either; Apache's default is 20000",
  }),
  haTransferBatchSize: int({
    default: 32_768,
    min: 1_024,
    max: 4 * MIB,
    unit: 'bytes',
    meaning: 'most bytes of the log that are sent to a slave in one frame',
  }),
  haFlowControlEnable: bool({
    default: false,
    meaning: 'whether each slave is sent at most maxHaTransferByteInSecond',
  }),
  maxHaTransferByteInSecond: int({
    default: 100 * MIB,
    min: 1,
    unit: 'bytes',
    meaning: 'how much of the log a slave is sent per second, if haFlowControlEnable is true',
  }),
  haMaxGapNotInSync: int({
    default: 256 * MIB,
    min: 1,
    unit: 'bytes',
    meaning: 'how far behind a slave may be that SYNC_MASTER waits for',
  }),
  slaveTimeout: int({
    default: 3_000,
    min: 1,
    unit: 'ms',
    meaning: 'how long a send waits for slaves before it is answered FLUSH_SLAVE_TIMEOUT',
  }),
  inSyncReplicas: int({
    default: 1,
    min: 1,
    max: 64,
    meaning:
      'how many brokers have a message, the master among them, before SYNC_MASTER acknowledges it; ' +
      '2 at the least, which Apache does not see to',
  }),
  minInSyncReplicas: int({
    default: 1,
    min: 1,
    max: 64,
    meaning: 'SYNC_MASTER refuses messages that fewer brokers would have soon, itself among them',
  }),
  slaveMaxCutBytes: int({
    default: 64 * MIB,
    unit: 'bytes',
    meaning:
      'how much of its log a slave may cut off by itself, and keep in the folder "cutoff", where ' +
      'the log of its master goes on differently; not in Apache',
  }),
  slaveReadEnable: bool({
    default: true,
    meaning:
      'whether a slave serves pulls, and a master sends those who read old messages to its slave; ' +
      "Apache's default is false",
  }),
  offsetCheckInSlave: bool({
    default: false,
    meaning: 'whether a slave corrects offsets that its queue does not have, as a master does',
  }),
  accessMessageInMemoryMaxRatio: int({
    default: 40,
    max: 100,
    unit: 'percent of the memory of the machine',
    meaning: 'how far behind the end of the log messages are old, which a slave may serve',
  }),
}
