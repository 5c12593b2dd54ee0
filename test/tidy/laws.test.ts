/** Each law of the house catches its crime, and lets innocent neighbours pass. */
import { describe, expect, it } from 'vitest'
import { adviceOn } from './advice.ts'
import { houseOf } from './house.ts'
import { laws } from './laws.ts'

const HEADER = '/** Something that this file is for. */\n'

/** What the law with this fact has to say about a house of a few files, headers added. */
function verdict(fact: string, files: Readonly<Record<string, string>>): string[] {
  const law = laws.find((candidate) => candidate.fact === fact)
  if (law === undefined) throw new Error(`there is no law "${fact}"`)
  const headed = Object.entries(files).map(([path, text]) => [
    path,
    path.endsWith('.json') ? text : HEADER + text,
  ])
  return law.check(houseOf(Object.fromEntries(headed)))
}

describe('packages import each other along the arrows only', () => {
  const fact = 'packages import each other along the arrows only'

  it('catches the store that imports the broker, even for a type', () => {
    const found = verdict(fact, {
      'packages/store/src/a.ts': "import type { Broker } from '@rockhopper/broker'",
    })
    expect(found).toEqual([
      'packages/store/src/a.ts:2 imports @rockhopper/broker, but store may import protocol, host',
    ])
  })

  it('catches a re-export and a type named in place', () => {
    const found = verdict(fact, {
      'packages/protocol/src/a.ts': "export { x } from '@rockhopper/host'",
      'packages/host/src/a.ts': "export let x: import('@rockhopper/protocol').Frame",
    })
    expect(found).toHaveLength(2)
  })

  it('lets the broker import the store', () => {
    const found = verdict(fact, {
      'packages/broker/src/a.ts': "import { Store } from '@rockhopper/store'",
    })
    expect(found).toEqual([])
  })
})

describe('another package is entered through its index.ts only', () => {
  const fact = 'another package is entered through its index.ts only'

  it('catches a path into another package', () => {
    const found = verdict(fact, {
      'packages/broker/src/a.ts': "import { x } from '@rockhopper/store/dist/limits.js'",
      'packages/broker/src/b.ts': "import { x } from '../../store/src/limits.ts'",
    })
    expect(found).toHaveLength(2)
  })

  it('lets files of one package import each other', () => {
    const found = verdict(fact, {
      'packages/broker/src/handlers/a.ts': "import { x } from '../limits.ts'",
    })
    expect(found).toEqual([])
  })
})

describe('a package names in its package.json what it imports', () => {
  const fact = 'a package names in its package.json what it imports'

  it('catches a library and a package that are not named', () => {
    const found = verdict(fact, {
      'packages/host/package.json': '{"dependencies":{"pino":"1"}}',
      'packages/host/src/a.ts': "import 'pino'; import 'left-pad'; import '@rockhopper/sim'",
    })
    expect(found.map((sentence) => /imports (\S+),/.exec(sentence)?.[1])).toEqual([
      'left-pad',
      '@rockhopper/sim',
    ])
  })
})

describe('relative imports name a file with its ending', () => {
  it('catches a missing ending', () => {
    const found = verdict('relative imports name a file with its ending', {
      'packages/store/src/a.ts': "import { b } from './b'; import { b as c } from './b.ts'",
      'packages/store/src/b.ts': 'export const b = 1',
    })
    expect(found).toEqual(['packages/store/src/a.ts:2 imports ./b, and there is no such file'])
  })
})

describe('no file imports itself through others, not even by types', () => {
  const fact = 'no file imports itself through others, not even by types'

  it('catches a circle of types', () => {
    const found = verdict(fact, {
      'packages/store/src/a.ts': "import type { B } from './b.ts'",
      'packages/store/src/b.ts': "import { c } from './c.ts'",
      'packages/store/src/c.ts': "export type { A } from './a.ts'",
    })
    expect(found).toEqual([
      'these import each other in a circle: packages/store/src/a.ts → packages/store/src/b.ts → ' +
        'packages/store/src/c.ts → packages/store/src/a.ts',
    ])
  })

  it('lets two files share a third', () => {
    const found = verdict(fact, {
      'packages/store/src/a.ts': "import './b.ts'; import './c.ts'",
      'packages/store/src/b.ts': "import './c.ts'",
      'packages/store/src/c.ts': '',
    })
    expect(found).toEqual([])
  })
})

describe('only the host, main.ts, cli.ts and bin touch the machine', () => {
  const fact = 'only the host, main.ts, cli.ts and bin touch the machine'
  const inStore = (text: string): string[] => verdict(fact, { 'packages/store/src/a.ts': text })

  it.each([
    "import { readFileSync } from 'node:fs'",
    "import net from 'node:net'",
    "import { setTimeout } from 'node:timers/promises'",
    "import { spawn } from 'node:child_process'",
    "import { cpus } from 'node:os'",
    "import { randomUUID } from 'node:crypto'",
    "import * as crypto from 'node:crypto'",
    "import pino from 'pino'",
    "const fs = await import('node:fs')",
    'const nowMs = Date.now()',
    'const now = () => new Date()',
    'export let when: Date',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'const share = Math.random()',
    'const signal = AbortSignal.timeout(5)',
    'const home = process.env.HOME',
    "console.error('x')",
    'const { argv } = globalThis.process',
    'const f = (process: number) => process\nprocess.exit(1)',
  ])('catches %s', (text) => {
    expect(inStore(text)).not.toEqual([])
  })

  it.each([
    "import { crc32 } from 'node:zlib'",
    "import { createHash } from 'node:crypto'",
    '// setTimeout is not for us, and neither is Date',
    "const sentence = 'process the Date'",
    'const handle = { process: 1, setTimeout() {} }.process',
    'interface Parts { process(): void; Date: number }',
    'const run = (process: number) => process + 1',
    'for (const process of [1]) String(process)',
    'class Host { #process = 1; get() { return this.#process } }',
    'queueMicrotask(() => {})',
  ])('lets pass %s', (text) => {
    expect(inStore(text)).toEqual([])
  })

  it('lets the host, a main.ts and the cli through', () => {
    const text = "import { readFileSync } from 'node:fs'; process.exit(Date.now())"
    const found = verdict(fact, {
      'packages/host/src/node-clock.ts': text,
      'packages/broker/src/main.ts': text,
      'packages/admin/src/cli.ts': text,
      'bin/mqbroker': text,
    })
    expect(found).toEqual([])
  })
})

describe('nobody imports a composition root but index.ts and main.ts', () => {
  it('catches a handler that reaches for the whole broker', () => {
    const text = "import type { Broker } from '../broker.ts'"
    const found = verdict('nobody imports a composition root but index.ts and main.ts', {
      'packages/broker/src/handlers/send.ts': text,
      'packages/broker/src/main.ts': "import { startBroker } from './broker.ts'",
      'packages/broker/src/index.ts': "export { startBroker } from './broker.ts'",
      'packages/broker/src/broker.ts': 'export const startBroker = 1',
    })
    expect(found).toHaveLength(1)
    expect(found[0]).toContain('packages/broker/src/handlers/send.ts:2')
  })
})

describe('handlers, services, rules and tables import downwards only', () => {
  const fact = 'handlers, services, rules and tables import downwards only'

  it.each([
    ['handlers', 'handlers'],
    ['handlers', 'services'],
    ['rules', 'tables'],
    ['rules', 'handlers'],
    ['tables', 'services'],
  ])('catches one of %s that imports one of %s', (from, to) => {
    const found = verdict(fact, {
      [`packages/broker/src/${from}/a.ts`]: `import { b } from '../${to}/b.ts'`,
    })
    expect(found).toHaveLength(1)
  })

  it('lets handlers use rules and tables, and know the types of services', () => {
    const found = verdict(fact, {
      'packages/broker/src/handlers/a.ts': "import '../rules/b.ts'; import '../tables/c.ts'",
      'packages/broker/src/handlers/b.ts':
        "import type { C } from '../services/c.ts'; import { type D } from '../services/d.ts'",
    })
    expect(found).toEqual([])
  })

  it('catches a handler that takes more than the type of a service', () => {
    const found = verdict(fact, {
      'packages/broker/src/handlers/a.ts': "import { type C, d } from '../services/c.ts'",
    })
    expect(found).toHaveLength(1)
  })
})

describe('each file opens with a header comment', () => {
  const law = laws.find(({ fact }) => fact === 'each file opens with a header comment')

  it.each([
    ['nothing', 'const a = 1'],
    ['a line comment', '// Something that this file is for.\nconst a = 1'],
    ['a comment further down', "import 'x'\n/** Something that this file is for. */"],
    ['a comment that says nothing', '/** Queue. */\nconst a = 1'],
  ])('catches a file that opens with %s', (_, text) => {
    expect(law?.check(houseOf({ 'packages/store/src/a.ts': text }))).toHaveLength(1)
    expect(law?.check(houseOf({ 'test/store/a.test.ts': text }))).toHaveLength(1)
  })

  it('takes the header after the first line of a program', () => {
    const text = `#!/usr/bin/env node\n${HEADER}const a = 1`
    expect(law?.check(houseOf({ 'bin/mqbroker': text }))).toEqual([])
  })
})

describe('nothing is left for later', () => {
  // Put together here, so that this file does not break the law itself.
  const promise = ['TO', 'DO'].join('')

  it('catches a promise in a comment, not in a text', () => {
    const found = verdict('nothing is left for later', {
      'packages/store/src/a.ts': `// ${promise}: the other half\nconst a = '${promise}'`,
      'test/store/a.test.ts': `/* ${promise} */`,
    })
    expect(found).toEqual([
      `packages/store/src/a.ts:2 puts off: ${promise}: the other half`,
      `test/store/a.test.ts:2 puts off: ${promise}`,
    ])
  })
})

describe('each file is reached from an index.ts, main.ts or cli.ts', () => {
  it('catches a file that only dead files import', () => {
    const found = verdict('each file is reached from an index.ts, main.ts or cli.ts', {
      'packages/store/src/index.ts': "export * from './alive.ts'",
      'packages/store/src/alive.ts': 'export const a = 1',
      'packages/store/src/dead.ts': "import './only-by-dead.ts'",
      'packages/store/src/only-by-dead.ts': 'export const b = 1',
    })
    expect(found).toEqual([
      'packages/store/src/dead.ts is imported by nobody: delete it',
      'packages/store/src/only-by-dead.ts is imported by nobody: delete it',
    ])
  })
})

describe('each export is imported by somebody', () => {
  const fact = 'each export is imported by somebody'
  const index = "export { shown } from './a.ts'; import './b.ts'"

  it('catches constants, functions, classes, types and destructured names', () => {
    const found = verdict(fact, {
      'packages/store/src/index.ts': index,
      'packages/store/src/a.ts': [
        'export const shown = 1, { dead1, x: [dead2] } = y',
        'export function dead3() { return dead3 }',
        'export class Dead4 {}',
        'export interface Dead5 {}',
        'export type Dead6 = 1',
        'const z = 1',
        'export { z as dead7 }',
      ].join('\n'),
      'packages/store/src/b.ts': '',
    })
    expect(found.map((sentence) => /exports (\w+)/.exec(sentence)?.[1])).toEqual([
      'dead1',
      'dead2',
      'dead3',
      'Dead4',
      'Dead5',
      'Dead6',
      'dead7',
    ])
  })

  it('takes an import by a neighbour, of all names, or through the index', () => {
    const found = verdict(fact, {
      'packages/store/src/index.ts': `${index}; export * from './c.ts'; export const free = 1`,
      'packages/store/src/a.ts': 'export const shown = 1; export type Used = 1',
      'packages/store/src/b.ts': "import type { Used } from './a.ts'; import * as d from './d.ts'",
      'packages/store/src/c.ts': 'export const c = 1',
      'packages/store/src/d.ts': 'export const d = 1',
    })
    expect(found).toEqual([])
  })

  it('takes a type that stands in a signature of its own file', () => {
    const found = verdict(fact, {
      'packages/store/src/index.ts': "import { open } from './a.ts'; open",
      'packages/store/src/a.ts':
        'export interface Parts { a: 1 }\nexport function open(parts: Parts) {}',
    })
    expect(found).toEqual([])
  })

  it('takes a test as a reader only of what is in use', () => {
    const found = verdict(fact, {
      'packages/store/src/a.ts': 'export const inUse = 1, forTests = inUse',
      'test/store/a.test.ts':
        "import { forTests, inUse } from '../../packages/store/src/a.ts'; forTests",
    })
    expect(found).toEqual(['packages/store/src/a.ts:2 exports forTests, which nobody imports'])
  })
})

describe('files and folders have names that say something', () => {
  it('catches names that say nothing', () => {
    const found = verdict('files and folders have names that say something', {
      'packages/store/src/utils.ts': '',
      'packages/store/src/store-manager.ts': '',
      'packages/store/src/common/queue.ts': '',
      'packages/store/src/segment.ts': '',
    })
    expect(found).toHaveLength(3)
  })
})

describe('advice', () => {
  it('is given for long functions and long files, and for nothing else', () => {
    const long = 'const a = 1\n'.repeat(71)
    const house = houseOf({
      'packages/store/src/a.ts': `function grown() {\n${long}}\nconst small = () => 1`,
      'packages/store/src/b.ts': 'const b = 1\n'.repeat(501),
    })
    expect(adviceOn(house)).toEqual([
      'packages/store/src/a.ts:1 grown has 73 lines',
      'packages/store/src/b.ts has 501 lines',
    ])
  })
})
