/** Configuration as a table: what is read, what is refused, and with which words. */
import {
  ConfigError,
  type ConfigOf,
  configTable,
  defaultConfig,
  formatConfig,
  helpOf,
  readConfig,
  setting,
  updateConfig,
} from '@rockhopper/protocol'
import { describe, expect, expectTypeOf, it } from 'vitest'

const table = configTable({
  listenPort: setting.int({ default: 9876, max: 65_535, meaning: 'port to listen on' }),
  bindAddress: setting.text({ default: '127.0.0.1', meaning: 'address to listen on' }),
  scanMs: setting.int({
    default: 5000,
    min: 10,
    unit: 'ms',
    changeable: true,
    meaning: 'time between scans',
  }),
  usedPercent: setting.int({
    default: 75,
    min: 10,
    max: 95,
    unit: 'percent',
    clamped: true,
    meaning: 'how full it may be',
  }),
  ordered: setting.bool({ default: false, changeable: true, meaning: 'whether to order' }),
  role: setting.choice({
    default: 'ASYNC_MASTER',
    choices: ['ASYNC_MASTER', 'SYNC_MASTER', 'SLAVE'],
    meaning: 'part in replication',
  }),
  clusterName: setting.text({
    default: 'Default',
    meaning: 'name of the cluster',
    check: (value) => (value === '' ? 'a name' : undefined),
  }),
})

const source = {
  source: 'a.conf',
  foreign: { useEpoll: 'Node.js chooses by itself' },
  spellings: { scanInterval: 'scanMs' },
}

const read = (text: string) => readConfig(table, text, source)

function problemsOf(action: () => unknown): readonly string[] {
  try {
    action()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('a configuration file', () => {
  it('gives typed values, and defaults for what it does not name', () => {
    const { values, given, warnings } = read('listenPort=1000\nrole = SLAVE\nordered: TRUE\n')
    expect(values).toEqual({
      ...defaultConfig(table),
      listenPort: 1000,
      role: 'SLAVE',
      ordered: true,
    })
    expect([...given]).toEqual(['listenPort', 'role', 'ordered'])
    expect(warnings).toEqual([])
    expectTypeOf<ConfigOf<typeof table>['role']>().toEqualTypeOf<
      'ASYNC_MASTER' | 'SYNC_MASTER' | 'SLAVE'
    >()
  })

  it('may ask for more than is possible where the row says so, and is told what it gets', () => {
    const { values, warnings } = read('usedPercent=100\n')
    expect(values.usedPercent).toBe(95)
    expect(warnings).toEqual([
      'a.conf, line 1: usedPercent must be a whole number of percent from 10 to 95, not "100": ' +
        'it is taken for 95',
    ])
    expect(read('usedPercent=-1').values.usedPercent).toBe(10)
    expect(problemsOf(() => read('usedPercent=much'))).toHaveLength(1)
  })

  it('with an unknown key is refused, and the nearest known key is named', () => {
    expect(problemsOf(() => read('# a comment\n\nlistenPrt=1\n'))).toEqual([
      'a.conf, line 3: there is no key "listenPrt": did you mean "listenPort"?',
    ])
    expect(problemsOf(() => read('zzz=1'))).toEqual([
      'a.conf, line 1: there is no key "zzz": remove the line',
    ])
  })

  it.each(['__proto__', 'constructor', 'toString'])('takes %s for an unknown key', (key) => {
    expect(problemsOf(() => read(`${key}=1`))).toHaveLength(1)
  })

  it.each([
    ['listenPort=65536', 'listenPort must be a whole number from 0 to 65535, not "65536"'],
    ['listenPort=-1', 'listenPort must be a whole number from 0 to 65535, not "-1"'],
    ['listenPort=1e3', 'listenPort must be a whole number from 0 to 65535, not "1e3"'],
    ['listenPort=', 'listenPort must be a whole number from 0 to 65535, not ""'],
    ['scanMs=9', 'scanMs must be a whole number of ms, 10 or more, not "9"'],
    ['ordered=yes', 'ordered must be true or false, not "yes"'],
    ['role=BOSS', 'role must be one of ASYNC_MASTER, SYNC_MASTER, SLAVE, not "BOSS"'],
    ['clusterName=', 'clusterName must be a name, not ""'],
  ])('with %s is refused with key, value and range', (text, sentence) => {
    expect(problemsOf(() => read(text))).toEqual([`a.conf, line 1: ${sentence}`])
  })

  it('tells all its problems at once', () => {
    const text = 'listenPort=x\n\nlistenPrt=1\nordered=maybe\n'
    expect(problemsOf(() => read(text))).toHaveLength(3)
    expect(() => read(text)).toThrow(/line 1: .*\n.*line 3: .*\n.*line 4: /)
  })

  it('full of nonsense is given up before it costs time', () => {
    expect(problemsOf(() => read('listenPrx=1\n'.repeat(100_000)))).toHaveLength(50)
    expect(problemsOf(() => read('x'.repeat(1_000_000)))).toHaveLength(1)
  })

  it('may hold keys of Apache alone, which are named with a reason', () => {
    const { values, warnings } = read('useEpoll=true\n')
    expect(values).toEqual(defaultConfig(table))
    expect(warnings).toEqual([
      'a.conf, line 1: useEpoll has no effect here: Node.js chooses by itself',
    ])
  })

  it('may use another spelling of a key', () => {
    expect(read('scanInterval=77').values.scanMs).toBe(77)
  })

  it('with a key set twice takes the last one and says so', () => {
    const { values, warnings } = read('scanMs=20\nscanMs=30\n')
    expect(values.scanMs).toBe(30)
    expect(warnings).toEqual(['a.conf, line 2: scanMs is also set in line 1, which has no effect'])
  })

  it('printed and read again is the same', () => {
    const { values } = read('bindAddress=C:\\\\a\\\\b c\nlistenPort=1\n')
    expect(values.bindAddress).toBe('C:\\a\\b c')
    const printed = formatConfig(table, values)
    expect(printed.split('\n')).toEqual([...printed.split('\n').slice(0, -1).sort(), ''])
    expect(read(printed).values).toEqual(values)
  })
})

describe('a change at run time', () => {
  const update = (text: string) => updateConfig(table, defaultConfig(table), text, source)

  it('gives new values and names what is another now', () => {
    const { values, changed } = update('scanMs=20\nordered=false\nlistenPort=9876\n')
    expect(values).toEqual({ ...defaultConfig(table), scanMs: 20 })
    expect(changed).toEqual({ scanMs: '20' })
  })

  it('of a key that needs a restart is refused, and nothing changes', () => {
    expect(problemsOf(() => update('scanMs=20\nlistenPort=1'))).toEqual([
      'a.conf, line 2: listenPort cannot change while the server runs: set it in its file, restart',
    ])
  })

  it('with an unknown key or a bad value is refused', () => {
    expect(problemsOf(() => update('scanMz=20\nscanMs=x'))).toHaveLength(2)
  })
})

describe('a configuration table', () => {
  it('whose default is outside its own range is a bug', () => {
    expect(() =>
      configTable({ port: setting.int({ default: 7, max: 5, meaning: 'a port' }) }),
    ).toThrow(/default of port/)
  })

  it('explains its rows', () => {
    expect(helpOf(table)[0]).toEqual({
      key: 'listenPort',
      range: 'a whole number from 0 to 65535',
      default: '9876',
      changeable: false,
      meaning: 'port to listen on',
    })
  })
})
