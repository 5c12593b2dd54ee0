/** The frame around the verbs: what is understood, what is refused, and with which words. */
import { expect, test } from 'vitest'
import { required, text, truth, whole } from '../../packages/admin/src/options.ts'
import { type AnyVerb, verb } from '../../packages/admin/src/verb.ts'
import { Scene } from './scene.ts'

/** Prints the options it was given. */
const echo = verb({
  name: 'echoOptions',
  description: 'Prints its options.',
  options: {
    topic: required(text('t', 'name of the topic')),
    count: whole('c', 'how many', 1),
    order: truth('o', 'whether in order'),
  },
  async run({ client }, options) {
    const json = { options, servers: client.nameServers, table: new Map([[0, 'a']]) }
    return { lines: [JSON.stringify(options)], json }
  },
})

const shutUp = verb({
  name: 'shutUp',
  description: 'Fails.',
  options: {},
  run: async () => {
    throw new Error('The verb cannot be done: rest.')
  },
})

const verbs: readonly AnyVerb[] = [echo, shutUp]
const named = ['-n', '10.0.0.1:9876']

function run(...words: readonly string[]): ReturnType<Scene['runBare']> {
  return new Scene().runBare(verbs, ...words)
}

test('without words, and for help, the verbs are listed as Apache lists them', async () => {
  const { exitCode, out } = await run()
  expect(exitCode).toBe(0)
  expect(out).toBe(
    'The most commonly used mqadmin commands are:\n' +
      '   echoOptions                         Prints its options.\n' +
      '   shutUp                              Fails.\n\n' +
      "See 'mqadmin help <command>' for more information on a specific command.\n",
  )
  expect(await run('help')).toEqual({ exitCode: 0, out, errors: '' })
  expect(await run('--help')).toEqual({ exitCode: 0, out, errors: '' })
})

test.each([
  ['help', 'echoOptions'],
  ['help', 'ECHOOPTIONS'],
  ['echoOptions', '-h'],
])('%s %s shows the options of the verb', async (...words) => {
  const { exitCode, out } = await run(...words)
  expect(exitCode).toBe(0)
  expect(out).toContain('Usage: mqadmin echoOptions')
  expect(out).toContain('-t, --topic <text>')
  expect(out).toContain('-n, --namesrvAddr <host:port[;host:port]>')
  expect(out).toContain('--json')
})

test('a verb is understood in any case, its options by letter or by name', async () => {
  const { exitCode, out } = await run(
    'ECHOoptions',
    '-t',
    ' T ',
    '--count',
    '3',
    '-o',
    'TRUE',
    ...named,
  )
  expect(exitCode).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ topic: 'T', count: 3, order: true })
})

test('--json prints one document, in which maps are objects', async () => {
  const { out } = await run('echoOptions', '-t', 'T', '--json', ...named)
  expect(JSON.parse(out)).toMatchObject({ servers: ['10.0.0.1:9876'], table: { 0: 'a' } })
})

test.each([
  [['topicLst'], 'The sub command topicLst not exist. See them all with mqadmin help.'],
  [['echoOption'], 'The sub command echoOption not exist. Did you mean echoOptions?'],
  [['help', 'shutup2'], 'The sub command shutup2 not exist. Did you mean shutUp?'],
  [['echoOptions', ...named], "Required option '-t, --topic <text>' not specified."],
  [
    ['echoOptions', '-t', 'T', '-x', ...named],
    "Unknown option '-x'. See mqadmin help echoOptions.",
  ],
  [['echoOptions', '-t', 'T', '--coun', '1', ...named], 'Did you mean --count?'],
  [['echoOptions', '-t', 'T', 'more', ...named], 'Too many arguments'],
  [['echoOptions', '-t', 'T', '-c', '0', ...named], 'It must be a whole number of at least 1.'],
  [['echoOptions', '-t', 'T', '-c', 'x1', ...named], "argument 'x1' is invalid"],
  [['echoOptions', '-t', 'T', '-o', 'yes', ...named], 'It must be true or false.'],
  [['echoOptions', '-t', 'T'], 'No name server is named: add -n HOST:PORT, or set NAMESRV_ADDR.'],
  [['echoOptions', '-t', 'T', '-n', 'ns'], '"ns" is not the address of a name server'],
  [['shutUp', ...named], 'The verb cannot be done: rest.'],
])('%j ends with 1 and says why', async (words, sentence) => {
  const { exitCode, out, errors } = await run(...words)
  expect(exitCode).toBe(1)
  expect(out).toBe('')
  expect(errors).toContain(sentence)
  expect(errors.trimEnd().split('\n')).toHaveLength(1)
})

test('the environment names the name servers when -n does not', async () => {
  const scene = new Scene()
  scene.world.host('operator', { environment: { NAMESRV_ADDR: 'a:1; b:2;' } })
  const { out } = await scene.runBare(verbs, 'echoOptions', '-t', 'T', '--json')
  expect(JSON.parse(out).servers).toEqual(['a:1', 'b:2'])
})

test('a verb that repeats prints again after its interval', async () => {
  let rounds = 0
  const ticking = verb({
    name: 'tick',
    description: 'Ticks.',
    options: { interval: whole('i', 'seconds', 1) },
    repeatSeconds: ({ interval }) => (rounds < 3 ? interval : undefined),
    run: async () => ({ lines: [`round ${++rounds}`], json: rounds }),
  })
  const scene = new Scene()
  const { out } = await scene.runBare([ticking], 'tick', '-i', '5', ...named)
  expect(out).toBe('round 1\n\nround 2\n\nround 3\n')
  expect(scene.world.clock.monotonicMs()).toBe(10_000)
})
