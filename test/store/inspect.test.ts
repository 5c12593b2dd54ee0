/** A look over a store: what it says of stores that were closed, killed, torn or damaged. */
import { describe, expect, it } from 'vitest'
import { findStore, InspectError } from '../../packages/store/src/inspect/store-folder.ts'
import { type StoreSurvey, surveyStore } from '../../packages/store/src/inspect/survey.ts'
import { surveyLines } from '../../packages/store/src/inspect/survey-text.ts'
import { InspectScene } from './inspect-scene.ts'
import { ROOT, SEGMENT_BYTES, StoreScene } from './scene.ts'

const LOG_FILE = `${ROOT}/commitlog/00000000000000000000`

function survey(inspected: InspectScene, topic?: string): Promise<StoreSurvey> {
  const { folder, host, scene } = inspected
  return scene.settle(surveyStore(host, folder, { kind: 'free' }, topic))
}

function text(surveyed: StoreSurvey): string {
  return surveyLines(surveyed, (ms) => `<${ms}>`, false).join('\n')
}

describe('a look over a store', () => {
  it('changes nothing, however the store was left', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(60)
    inspected.scene.host.kill()
    inspected.scene.host.restart()
    inspected.scene.putBytes(LOG_FILE, Buffer.from('torn'), SEGMENT_BYTES - 60)
    const before = inspected.image()
    await survey(inspected)
    expect(inspected.image()).toEqual(before)
  })

  it('tells the end of a store that was closed, and that nothing is to be done', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(40)
    const { appendedOffset } = inspected.scene.store.runtime()
    await inspected.scene.close()
    const seen = await survey(inspected)
    expect(seen.lastExit.kind).toBe('clean')
    expect(seen.lastWriter).toBe('rockhopper')
    expect(seen.checkpoint?.logOffset).toBe(appendedOffset)
    expect(seen.restart).toMatchObject({
      kind: 'opens',
      scanFrom: appendedOffset,
      endOffset: appendedOffset,
      cutBytes: 0,
      warnings: [],
    })
    expect(seen.queues).toMatchObject([
      {
        topic: 'TopicTest',
        queueId: 0,
        minOffset: 0,
        maxOffset: 20,
        fileMaxOffset: 20,
        missing: 0,
      },
      {
        topic: 'TopicTest',
        queueId: 1,
        minOffset: 0,
        maxOffset: 20,
        fileMaxOffset: 20,
        missing: 0,
      },
    ])
    expect(text(seen)).toContain('closed in order')
    expect(text(seen)).toContain('nothing would be cut away')
    expect(text(seen)).toContain('the key index is complete')
  })

  it('tells which messages of a killed store are in no queue file yet', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(10)
    inspected.scene.host.kill()
    inspected.scene.host.restart()
    const seen = await survey(inspected)
    expect(seen.lastExit).toMatchObject({ kind: 'killed', systemCrashed: false })
    expect(seen.queues).toMatchObject([
      { queueId: 0, maxOffset: 5, fileMaxOffset: 0, missing: 5 },
      { queueId: 1, maxOffset: 5, fileMaxOffset: 0, missing: 5 },
    ])
    expect(text(seen)).toContain('so it was killed')
  })

  it('tells how much of an unfinished record a start would cut away', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(3)
    const { appendedOffset } = inspected.scene.store.runtime()
    inspected.scene.host.kill()
    inspected.scene.host.restart()
    inspected.scene.putBytes(LOG_FILE, Buffer.from([0, 0, 1, 0, 9, 9]), appendedOffset)
    const seen = await survey(inspected)
    expect(seen.restart).toMatchObject({ kind: 'opens', endOffset: appendedOffset, cutBytes: 6 })
    expect(text(seen)).toContain(
      `6 bytes of an unfinished record would be cut away at ${appendedOffset}`,
    )
  })

  it('tells that a start would refuse a damaged log, and where it is', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(10)
    inspected.scene.host.kill()
    inspected.scene.host.restart()
    inspected.flip(LOG_FILE, 95)
    const seen = await survey(inspected)
    expect(seen.restart).toMatchObject({ kind: 'refuses', path: LOG_FILE, offset: 0 })
    expect(text(seen)).toContain('it would not open the store')
  })

  it('counts files and entries of the key index', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(40)
    await inspected.scene.close()
    const { index } = await survey(inspected)
    expect(index.map(({ entries, isWhole }) => ({ entries, isWhole }))).toEqual([
      { entries: 63, isWhole: true },
      { entries: 17, isWhole: true },
    ])
  })

  it('says of each file of metadata whether it can be read, and how much is in it', async () => {
    const inspected = await InspectScene.opened()
    await inspected.scene.close()
    const put = (name: string, content: string): void => {
      inspected.scene.host.disk.makeDirectory(`${ROOT}/config`)
      inspected.scene.putBytes(`${ROOT}/config/${name}`, Buffer.from(content))
    }
    put('topics.json', '{"dataVersion":{"counter":1},"topicConfigTable":{"a":{},"b":{}}}')
    put('consumerOffset.json', '{"offsetTable":{"a@g":{0:1')
    put('delayOffset.json', '')
    put('delayOffset.json.bak', '{"offsetTable":{1:10}}')
    const { config } = await survey(inspected)
    expect(config).toMatchObject([
      { name: 'consumerOffset.json', state: 'unreadable' },
      { name: 'delayOffset.json', state: 'backup', counts: { offsetTable: 1 } },
      { name: 'topics.json', state: 'readable', counts: { topicConfigTable: 2 } },
    ])
  })

  it('shows the queues of one topic only, when it is asked to', async () => {
    const inspected = await InspectScene.opened()
    await inspected.scene.put({ topic: 'one' })
    await inspected.scene.put({ topic: 'two' })
    await inspected.scene.close()
    const { queues } = await survey(inspected, 'two')
    expect(queues.map(({ topic }) => topic)).toEqual(['two'])
  })

  it('says of a folder that is no store what may have been meant', () => {
    const { doors } = new StoreScene().host
    doors.disk.makeDirectory('/data/store/commitlog')
    const open = (path: string) => () => findStore(doors.disk, path)
    expect(open('/nowhere')).toThrow(InspectError)
    expect(open('/nowhere')).toThrow('There is no folder "/nowhere"')
    expect(open('/data')).toThrow('try "/data/store"')
    expect(open('/data/store')).not.toThrow()
  })
})
