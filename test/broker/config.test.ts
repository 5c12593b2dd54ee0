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

const { doors } = createWorld(1).host('machine')

function complete(text: string) {
  return completeBrokerConfig(readBrokerConfig(text, 'broker.conf').values, doors)
}

test('an unknown key stops the start and names the nearest one', () => {
  expect(() => readBrokerConfig('brokerNane=a', 'broker.conf')).toThrow(ConfigError)
  expect(() => readBrokerConfig('brokerNane=a', 'broker.conf')).toThrow(/did you mean "brokerName"/)
})

test("a key of Apache's broker alone is a warning that says why", () => {
  const { warnings } = readBrokerConfig('deleteWhen=04\nsendMessageThreadPoolNums=4', 'broker.conf')
  expect(warnings).toHaveLength(2)
  expect(warnings[0]).toMatch(/deleteWhen has no effect here: retention is not built yet/)
  expect(warnings[1]).toMatch(/no thread pools/)
})

test('the old spellings of file sizes are understood', () => {
  const { values } = readBrokerConfig('mapedFileSizeCommitLog=4194304', 'broker.conf')
  expect(values.mappedFileSizeCommitLog).toBe(4_194_304)
})

test("the sample files of Apache's distribution are readable but for roles that are not there", () => {
  const sample =
    'brokerClusterName = DefaultCluster\nbrokerName = broker-a\nbrokerId = 0\ndeleteWhen = 04\n' +
    'fileReservedTime = 48\nbrokerRole = ASYNC_MASTER\nflushDiskType = ASYNC_FLUSH\n'
  expect(readBrokerConfig(sample, 'broker.conf').values.brokerName).toBe('broker-a')
  expect(() => readBrokerConfig('brokerRole=SLAVE', 'broker.conf')).toThrow(/brokerRole/)
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
