/** The command line of `rockhopper store`: what is wrong with it is said in a sentence. */
import { silentLogger } from '@rockhopper/host'
import type { StoreConfig } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import type { Surroundings } from '../../packages/store/src/inspect/command-line.ts'
import { runStoreProgram } from '../../packages/store/src/inspect/program.ts'
import { InspectScene } from './inspect-scene.ts'
import { ROOT } from './scene.ts'

async function scene(config: Partial<StoreConfig> = {}): Promise<{
  readonly inspected: InspectScene
  run(
    args: readonly string[],
    holder?: string,
  ): Promise<{ code: number; out: string; errors: string }>
}> {
  const inspected = await InspectScene.opened(config)
  await inspected.fill(10)
  await inspected.scene.close()
  const run = async (args: readonly string[], holder?: string) => {
    const said = { out: '', errors: '' }
    const surroundings: Surroundings = {
      host: { ...inspected.host, logger: silentLogger },
      target: inspected.scene.host.doors,
      useOf: () => (holder === undefined ? { kind: 'free' } : { kind: 'held', holder }),
      absolute: (path) => (path.startsWith('/') ? path : `/${path}`),
      timeText: (timeMs) => `<${timeMs}>`,
      print: (text) => {
        said.out += text
      },
      complain: (text) => {
        said.errors += text
      },
      saveFile: (path, bytes) => inspected.scene.putBytes(path, Buffer.from(bytes)),
    }
    const code = await inspected.scene.settle(runStoreProgram(args, surroundings))
    return { code, ...said }
  }
  return { inspected, run }
}

describe('rockhopper store', () => {
  it.each([
    { args: ['inspect'], sentence: "Missing required argument 'DIR'" },
    { args: ['inspect', 'nowhere'], sentence: 'There is no folder' },
    { args: ['inspect', ROOT, 'more'], sentence: 'Too many arguments' },
    { args: ['inspect', `${ROOT}/index`], sentence: 'is not the folder of a store' },
    { args: ['inspect', ROOT, '--jsn'], sentence: "Unknown option '--jsn'" },
    { args: ['inspect', ROOT, '--topic', 'Nobody'], sentence: 'no queue of a topic "Nobody"' },
    { args: ['dump', ROOT], sentence: 'Say which message' },
    { args: ['dump', ROOT, '--offset', '0', '--id', '0'.repeat(32)], sentence: 'exactly one of' },
    { args: ['dump', ROOT, '--offset', 'x'], sentence: '"x" is no whole number' },
    { args: ['dump', ROOT, '--id', 'x'], sentence: '"x" is no offset id' },
    { args: ['dump', ROOT, '--key', 'TopicTest'], sentence: '--key needs a topic and a key' },
    { args: ['dump', ROOT, '--queue', 'TopicTest', '0'], sentence: '--queue needs a topic' },
    { args: ['rebuild', ROOT], sentence: "Required option '--into <NEW>' not specified" },
    { args: ['mend', ROOT], sentence: "Unknown command 'mend'" },
  ])('answers $args with a sentence and 2', async ({ args, sentence }) => {
    const { code, errors, out } = await (await scene()).run(args)
    expect(out).toBe('')
    expect(errors).toContain(sentence)
    expect(errors).toMatch(/^[A-Z"-].*\.\n$/)
    expect(code).toBe(2)
  })

  it('looks into a store in use, and refuses to verify or rebuild it, naming who has it', async () => {
    const { run } = await scene()
    const holder = 'process 4711 (broker)'
    const inspected = await run(['inspect', ROOT], holder)
    expect(inspected.code).toBe(0)
    expect(inspected.out).toContain('in use by process 4711 (broker)')
    for (const args of [
      ['verify', ROOT],
      ['rebuild', ROOT, '--into', '/new'],
    ]) {
      const { code, errors } = await run(args, holder)
      expect(code).toBe(2)
      expect(errors).toContain('is in use by process 4711 (broker)')
    }
  })

  it('ends with 0 on a sound store and with 1 on one that is not, as text and as JSON', async () => {
    const { inspected, run } = await scene()
    expect(await run(['verify', ROOT])).toMatchObject({ code: 0, errors: '' })
    inspected.flip(`${ROOT}/commitlog/00000000000000000000`, 90)
    const text = await run(['verify', ROOT])
    expect(text.code).toBe(1)
    expect(text.out).toMatch(
      /^\/store\/commitlog\/0+: byte 0: the checksum of the body is wrong; .+; /,
    )
    const json = await run(['verify', ROOT, '--json'])
    expect(json.code).toBe(1)
    const { findings, found } = JSON.parse(json.out)
    expect(found).toHaveLength(findings)
    expect(found[0]).toMatchObject({ path: `${ROOT}/commitlog/${'0'.repeat(20)}`, offset: 0 })
  })

  it('finds a log that is elsewhere, and an index of other proportions, when it is told', async () => {
    const keyIndex = { enabled: true, slotCount: 10, entryLimit: 100, maxMessages: 64 }
    const commitLogDirectory = '/elsewhere'
    const { run } = await scene({ keyIndex, commitLogDirectory })
    const told = ['--commit-log', '/elsewhere', '--index-slots', '10']
    expect(await run(['verify', ROOT, ...told])).toMatchObject({ code: 0 })
    expect((await run(['dump', ROOT, '--key', 'TopicTest', 'k3', ...told])).code).toBe(0)
    expect((await run(['rebuild', ROOT, '--into', '/new', ...told])).code).toBe(0)
    expect((await run(['verify', '/new', '--index-slots', '10'])).out).toContain('20 index entries')
    expect((await run(['verify', ROOT, '--commit-log', '/elsewhere'])).code).toBe(1)
  })

  it('writes the body of a message into a file', async () => {
    const { inspected, run } = await scene()
    const { code } = await run(['dump', ROOT, '--key', 'TopicTest', 'k3', '--body', '/three'])
    expect(code).toBe(0)
    expect(inspected.scene.fileBytes('/three').toString()).toBe('body of k3')
  })

  it('shows its verbs when it is asked for nothing', async () => {
    const { code, out } = await (await scene()).run([])
    expect(code).toBe(0)
    for (const verb of ['inspect', 'verify', 'dump', 'rebuild']) expect(out).toContain(`  ${verb} `)
  })
})
