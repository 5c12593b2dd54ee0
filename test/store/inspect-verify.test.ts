/** A store is read as a whole: what is damaged is found, and what is sound is left in peace. */
import { INDEX_ENTRY_BYTES, indexEntryAt, UNIT_BYTES } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { type Finding, findingLine } from '../../packages/store/src/inspect/findings.ts'
import { type VerifySummary, verifyStore } from '../../packages/store/src/inspect/verify.ts'
import { InspectScene, KEY_INDEX } from './inspect-scene.ts'
import { ROOT, SEGMENT_BYTES } from './scene.ts'

const LOG = `${ROOT}/commitlog/00000000000000000000`
const QUEUE = `${ROOT}/consumequeue/TopicTest/0/00000000000000000000`

interface Verdict extends VerifySummary {
  readonly found: readonly Finding[]
}

function verify({ folder, host }: InspectScene): Verdict {
  const found: Finding[] = []
  const watcher = { finding: (finding: Finding) => found.push(finding), progress: () => {} }
  return { ...verifyStore(host, folder, watcher), found }
}

function problems(inspected: InspectScene): string {
  return verify(inspected).found.map(findingLine).join('\n')
}

/** A store of two segments and two index files that was closed. */
async function closed(): Promise<InspectScene> {
  const inspected = await InspectScene.opened()
  await inspected.fill(180)
  await inspected.scene.close()
  return inspected
}

function isSeconds(inEntry: number): boolean {
  return inEntry >= 12 && inEntry < 16
}

function indexPath({ scene }: InspectScene): string {
  return `${ROOT}/index/${scene.host.disk.list(`${ROOT}/index`)[0]}`
}

describe('the verification of a store', () => {
  it('finds nothing wrong with a store that was closed, and counts what it read', async () => {
    const verdict = verify(await closed())
    expect(verdict.found).toEqual([])
    expect(verdict).toMatchObject({ findings: 0, notes: [], records: 180, queues: 2, units: 180 })
    expect(verdict.indexEntries).toBe(360)
    expect(verdict.pagesWithSums).toBeGreaterThanOrEqual(5)
  })

  it('takes what the next start puts right after a kill for no damage', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(40)
    await inspected.scene.reopen()
    await inspected.scene.putNumbered(0, 9)
    const { appendedOffset } = inspected.scene.store.runtime()
    inspected.scene.host.kill()
    inspected.scene.host.restart()
    inspected.scene.putBytes(LOG, Buffer.from([0, 0, 1, 0, 9, 9, 9, 9]), appendedOffset)
    const { found, notes } = verify(inspected)
    expect(found).toEqual([])
    expect(notes).toEqual([
      expect.stringContaining('with a record that was not finished'),
      expect.stringContaining('9 messages of queue 0 of topic "TopicTest", from 20 on, are not'),
    ])
  })

  it('finds none of Rockhopper’s sums in a store that Apache wrote last, and needs none', async () => {
    const inspected = await closed()
    inspected.scene.putBytes(`${ROOT}/checkpoint`, Buffer.alloc(100), 256)
    inspected.scene.putBytes(`${ROOT}/logsums/00000000000000000000`, Buffer.alloc(16, 7))
    expect(verify(inspected)).toMatchObject({ findings: 0, pagesWithSums: 0 })
  })

  it('is content with a topic that was deleted and made anew', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(10)
    await inspected.scene.settle(inspected.scene.store.deleteTopic('TopicTest'))
    await inspected.fill(4)
    await inspected.scene.close()
    expect(problems(inspected)).toBe('')
  })

  it('finds every bit of a record that changed, whatever it stands for', async () => {
    const inspected = await closed()
    for (let at = 0; at < 300; at += 7) {
      inspected.flip(LOG, at)
      expect(problems(inspected), `byte ${at}`).toContain(
        `${LOG}: byte 0: the checksum of the 4 KiB there is wrong, as one bit of byte ${at} has changed`,
      )
      inspected.flip(LOG, at)
    }
    expect(problems(inspected)).toBe('')
  })

  it('finds every bit of a unit that changed', async () => {
    const inspected = await closed()
    for (let at = 0; at < 50 * UNIT_BYTES; at += 13) {
      inspected.flip(QUEUE, at)
      expect(problems(inspected), `byte ${at}`).toContain(
        `${QUEUE}: byte ${at - (at % UNIT_BYTES)}: `,
      )
      inspected.flip(QUEUE, at)
    }
  })

  it('finds every bit of the entries and slots of the index that changed', async () => {
    const inspected = await closed()
    const path = indexPath(inspected)
    const entries = indexEntryAt(KEY_INDEX, 1)
    for (let at = 40; at < entries + 63 * INDEX_ENTRY_BYTES; at += 9) {
      const inEntry = at - entries
      // Entry 0 is not used; seconds only narrow a search.
      if (at >= indexEntryAt(KEY_INDEX, 0) && inEntry < 0) continue
      if (inEntry >= 0 && isSeconds(inEntry % INDEX_ENTRY_BYTES)) continue
      inspected.flip(path, at)
      expect(problems(inspected), `byte ${at}`).toContain(path)
      inspected.flip(path, at)
    }
  })

  it('says where the next sound record is, and which messages are lost', async () => {
    const inspected = await closed()
    const { folder, scene } = inspected
    scene.host.disk.remove(folder.sums)
    const size = scene.fileBytes(LOG).readInt32BE(0)
    inspected.flip(LOG, size + 4)
    const text = problems(inspected)
    expect(text).toContain(`${LOG}: byte ${size}: the magic number is`)
    expect(text).toContain(`bytes behind, at offset ${2 * size} of the log`)
    expect(text).toContain('the unit of message 0 says offset')
    expect(text).toContain('rockhopper store rebuild')
  })

  it('finds units that are missing, and units of messages that never were', async () => {
    const inspected = await closed()
    const { scene } = inspected
    const units = scene.fileBytes(QUEUE)
    scene.putBytes(QUEUE, Buffer.alloc(2 * UNIT_BYTES), 3 * UNIT_BYTES)
    expect(problems(inspected)).toContain(
      `${QUEUE}: byte 60: queue 0 of topic "TopicTest" has no units for 2 messages of the log, from 3 on`,
    )
    scene.putBytes(QUEUE, units)
    const behind = `${ROOT}/consumequeue/TopicTest/0/00000000000000001000`
    scene.putBytes(behind, units.subarray(0, UNIT_BYTES), 40 * UNIT_BYTES)
    expect(problems(inspected)).toContain(`${behind}: byte 800: there is a unit for message 90`)
  })

  it('finds queues whose files are gone, if the topic is still there', async () => {
    const inspected = await closed()
    const { disk } = inspected.scene.host
    disk.remove(`${ROOT}/consumequeue/TopicTest/1`)
    expect(verify(inspected)).toMatchObject({
      findings: 0,
      notes: [expect.stringContaining('the topic may have been deleted')],
    })
    disk.makeDirectory(`${ROOT}/config`)
    const topics = { topicConfigTable: { TopicTest: {} } }
    inspected.scene.putBytes(`${ROOT}/config/topics.json`, Buffer.from(JSON.stringify(topics)))
    expect(problems(inspected)).toContain('has no units for 90 messages of the log, from 0 on')
  })

  it('finds files of the log that are short, missing, or not where they should be', async () => {
    const inspected = await closed()
    const { disk } = inspected.scene.host
    const second = `${ROOT}/commitlog/${String(SEGMENT_BYTES).padStart(20, '0')}`
    const bytes = inspected.scene.fileBytes(second)
    const file = disk.open(second, 'update')
    file.setLength(100)
    file.close()
    expect(problems(inspected)).toContain(`${second}: byte 100: the file has 100 bytes instead of`)
    disk.remove(second)
    expect(problems(inspected)).toContain(`${ROOT}/checkpoint: byte 256: the log was durable up to`)
    const third = `${ROOT}/commitlog/${String(2 * SEGMENT_BYTES).padStart(20, '0')}`
    inspected.scene.putBytes(third, bytes)
    expect(problems(inspected)).toContain(`${third}: byte 0: the file does not begin where the one`)
  })

  it('finds metadata that is no JSON', async () => {
    const inspected = await closed()
    inspected.scene.host.disk.makeDirectory(`${ROOT}/config`)
    inspected.scene.putBytes(`${ROOT}/config/topics.json`, Buffer.from('{"a":'))
    expect(problems(inspected)).toContain('topics.json: byte 0: the file is not JSON')
  })

  it('finds a key that the index does not have, though it has later ones', async () => {
    const inspected = await InspectScene.opened({ keyIndex: { ...KEY_INDEX, enabled: false } })
    await inspected.fill(5)
    await inspected.scene.close()
    expect(problems(inspected)).toBe('')
    const other = await closed()
    const first = indexPath(other)
    other.scene.host.disk.remove(first)
    expect(problems(other)).toContain('the keys of 31 messages from offset 0 of the log on are not')
  })
})
