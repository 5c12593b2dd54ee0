/** The broker's configuration: strict about keys, clear about addresses. */
import { ConfigError, defaultConfig } from '@rockhopper/protocol'
import { createWorld } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import {
  brokerConfigTable,
  completeBrokerConfig,
  readBrokerConfig,
} from '../../packages/broker/src/config.ts'
import { foreignKeys } from '../../packages/broker/src/foreign-keys.ts'
import { storeConfigOf } from '../../packages/broker/src/parts-config.ts'

const { doors } = createWorld(1).host('machine')

function complete(text: string) {
  return completeBrokerConfig(readBrokerConfig(text, 'broker.conf').values, doors)
}

test('an unknown key stops the start and names the nearest one', () => {
  expect(() => readBrokerConfig('brokerNane=a', 'broker.conf')).toThrow(ConfigError)
  expect(() => readBrokerConfig('brokerNane=a', 'broker.conf')).toThrow(/did you mean "brokerName"/)
})

test("a key of Apache's broker alone is a warning that says why", () => {
  const text = 'redeleteHangedFileInterval=1\nsendMessageThreadPoolNums=4'
  const { warnings } = readBrokerConfig(text, 'broker.conf')
  expect(warnings).toHaveLength(2)
  expect(warnings[0]).toMatch(
    /redeleteHangedFileInterval has no effect here: a file can be removed/,
  )
  expect(warnings[1]).toMatch(/no thread pools/)
})

test('the keys of the retention are the rules of the store', () => {
  const text =
    'fileReservedTime=48\ndeleteWhen=4;16\ndiskMaxUsedSpaceRatio=60\n' +
    'diskSpaceCleanForciblyRatio=70\ndiskSpaceWarningLevelRatio=80\ncleanFileForciblyEnable=false\n' +
    'deleteFileBatchMax=3\ndeleteCommitLogFilesInterval=1\ndeleteConsumeQueueFilesInterval=2\n' +
    'cleanResourceInterval=1000'
  expect(storeConfigOf(complete(text)).retention).toEqual({
    reservedMs: 48 * 3_600_000,
    deleteHours: [4, 16],
    cleanAbovePercent: 60,
    forceAbovePercent: 70,
    refuseAbovePercent: 80,
    mayForce: false,
    periodMs: 1_000,
    maxFilesPerRun: 3,
    logPauseMs: 1,
    queuePauseMs: 2,
  })
})

test('the keys of the flush and of reads from files are those of the store', () => {
  const apache = storeConfigOf(
    complete(
      'flushIntervalCommitLog=200\nflushCommitLogLeastPages=4\n' +
        'flushCommitLogThoroughInterval=9000\nflushCommitLogTimed=false\n' +
        'wakeFlushWhenPutMessage=true\nsyncFlushTimeout=300\nmaxFilterMessageSize=2000\n' +
        'maxTransferCountOnMessageInDisk=8\nmaxTransferBytesOnMessageInDisk=65536',
    ),
  )
  expect(apache).toMatchObject({
    flushIntervalMs: 200,
    flushLeastPages: 4,
    flushThoroughMs: 9_000,
    flushesAtOnce: true,
    syncFlushTimeoutMs: 300,
    maxUnitsPerRead: 100,
    maxColdMessages: 8,
    maxColdBytes: 65_536,
  })
  expect(storeConfigOf(complete('wakeFlushWhenPutMessage=true')).flushesAtOnce).toBe(false)
})

test('each key of the flush that has no effect says why', () => {
  const reasons = {
    flushIntervalConsumeQueue: 'each checkpoint',
    flushConsumeQueueLeastPages: 'each checkpoint',
    flushConsumeQueueThoroughInterval: 'each checkpoint',
    commitIntervalCommitLog: 'handed to the kernel',
    commitCommitLogLeastPages: 'handed to the kernel',
    commitCommitLogThoroughInterval: 'handed to the kernel',
    transientStorePoolEnable: 'handed to the kernel',
    transientStorePoolSize: 'handed to the kernel',
    warmMapedFileEnable: 'zeros ahead',
    flushLeastPagesWhenWarmMapedFile: 'zeros ahead',
    writeWithoutMmap: 'never mapped',
    dataReadAheadEnable: 'read ahead where a consumer reads on',
    travelCqFileNumWhenGetMessage: 'goes on in the next',
  }
  const text = Object.keys(reasons).map((key) => `${key}=1`)
  const { warnings } = readBrokerConfig(text.join('\n'), 'broker.conf')
  const expected = Object.entries(reasons).map(([key, why]) => {
    return expect.stringMatching(new RegExp(`${key} has no effect here: .*${why}`))
  })
  expect(warnings).toEqual(expected)
})

test('a master has the broker id 0 whatever its file says, a slave another one', () => {
  expect(complete('brokerRole=SYNC_MASTER\nbrokerId=3').brokerId).toBe(0)
  expect(complete('brokerRole=SLAVE\nbrokerId=3').brokerId).toBe(3)
  expect(() => complete('brokerRole=SLAVE\nbrokerId=0')).toThrow(/needs a brokerId above 0/)
  expect(() => complete('brokerRole=SLAVE')).toThrow(ConfigError)
})

test("levels beyond Apache's limits are taken for the limits, with a warning, as there", () => {
  const text = 'diskSpaceWarningLevelRatio=95\ndiskSpaceCleanForciblyRatio=20\n'
  const { values, warnings } = readBrokerConfig(text, 'broker.conf')
  expect(values).toMatchObject({ diskSpaceWarningLevelRatio: 90, diskSpaceCleanForciblyRatio: 30 })
  expect(warnings).toEqual([
    expect.stringContaining('from 35 to 90, not "95": it is taken for 90'),
    expect.stringContaining('from 30 to 85, not "20": it is taken for 30'),
  ])
})

test('hours in which files are removed are hours of the day', () => {
  for (const wrong of ['24', '4,5', 'night', ';']) {
    expect(() => readBrokerConfig(`deleteWhen=${wrong}`, 'broker.conf')).toThrow(
      /hours from 0 to 23/,
    )
  }
  expect(readBrokerConfig('deleteWhen=04;', 'broker.conf').values.deleteWhen).toBe('04;')
})

test('the old spellings of file sizes are understood', () => {
  const { values } = readBrokerConfig('mapedFileSizeCommitLog=4194304', 'broker.conf')
  expect(values.mappedFileSizeCommitLog).toBe(4_194_304)
})

test("the sample files of Apache's distribution are readable, and a role that there is not is no role", () => {
  const sample =
    'brokerClusterName = DefaultCluster\nbrokerName = broker-a\nbrokerId = 0\ndeleteWhen = 04\n' +
    'fileReservedTime = 48\nbrokerRole = ASYNC_MASTER\nflushDiskType = ASYNC_FLUSH\n'
  expect(readBrokerConfig(sample, 'broker.conf').values.brokerName).toBe('broker-a')
  expect(() => readBrokerConfig('brokerRole=BOSS', 'broker.conf')).toThrow(/brokerRole/)
})

test('no key is both known and foreign', () => {
  const both = Object.keys(foreignKeys).filter((key) => Object.hasOwn(brokerConfigTable, key))
  expect(both).toEqual([])
})

describe('a broker listens', () => {
  test('on loopback when nothing is said', () => {
    expect(complete('')).toMatchObject({ bindAddress: '127.0.0.1', brokerIP1: '127.0.0.1' })
  })

  test('everywhere when brokerIP1 is an address that others can reach', () => {
    expect(complete('brokerIP1=192.168.1.5')).toMatchObject({
      bindAddress: '0.0.0.0',
      brokerIP1: '192.168.1.5',
    })
  })

  test('where bindAddress says, and tells clients an address they can reach', () => {
    const own = doors.machine.addresses[0]
    expect(complete('bindAddress=0.0.0.0')).toMatchObject({ brokerIP1: own })
    expect(complete('bindAddress=192.168.1.7')).toMatchObject({ brokerIP1: '192.168.1.7' })
    expect(complete('bindAddress=0.0.0.0\nbrokerIP1=1.2.3.4')).toMatchObject({
      bindAddress: '0.0.0.0',
      brokerIP1: '1.2.3.4',
    })
  })
})

test('the name servers of the environment serve when none are given', () => {
  const environment = { NAMESRV_ADDR: 'a:1; b:2' }
  const host = createWorld(1).host('machine', { environment }).doors
  const config = completeBrokerConfig(defaultConfig(brokerConfigTable), host)
  expect(config.nameServers).toEqual(['a:1', 'b:2'])
  expect(complete('namesrvAddr=c:3').nameServers).toEqual(['c:3'])
})
