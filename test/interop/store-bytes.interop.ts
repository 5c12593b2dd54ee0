/**
 * The same killed store directory, brought up again by each maker's broker: both must find the same
 * end of the log, and make the same queues of it, byte for byte.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import { commitLogSegmentBytes, MovingStore, travelBroker } from './moving-store.ts'
import { ours } from './ours.ts'
import type { Broker, ServerFamily } from './server.ts'
import { indexEntriesOf, logFiles, queueFiles } from './store-files.ts'
import { Traveller } from './traveller.ts'
import { ask, poll } from './wire.ts'

describeBytes(ours)
describeBytes(apache)

function describeBytes(writer: ServerFamily): void {
  describe(`a store that ${writer.label} broker left when it was killed`, () => {
    const runDir = inject('runDir')
    /** Made anew by Apache from the log alone, by ours from the log alone, by ours from all. */
    let byApache: Restored
    let byOurs: Restored
    let kept: Restored

    beforeAll(async () => {
      const { addr: namesrv } = await ours.startNameServer(runDir)
      const source = await MovingStore.create(runDir, namesrv)
      await writeAndKill(source, writer, namesrv)
      byApache = await restore(source.copy('log only'), apache)
      byOurs = await restore(source.copy('log only'), ours)
      kept = await restore(source.copy('all'), ours)
    })
    afterAll(endAll)

    test('both find the same end of the log', () => {
      expect(byOurs.endOffset).toBeGreaterThan(2 * commitLogSegmentBytes)
      expect([byOurs.endOffset, kept.endOffset]).toEqual([byApache.endOffset, byApache.endOffset])
    })

    test('both make the same queues from the log', () => {
      const names = [...byApache.queues.keys()]
      expect(names.filter((name) => name.startsWith('travel-plain/0/')).length).toBeGreaterThan(1)
      expect(byOurs.queues).toEqual(byApache.queues)
    })

    test('queues that were there already become the same', () => {
      expect(kept.queues).toEqual(byApache.queues)
    })

    test('both make the same key index from the log', () => {
      expect(byApache.index.length).toBeGreaterThan(2_000)
      expect(byOurs.index).toEqual(byApache.index)
    })

    test('a key index that was there already comes to say the same', () => {
      expect([...new Set(kept.index)].sort()).toEqual([...new Set(byApache.index)].sort())
    })

    test('neither changes a byte of the log', () => {
      expect([...byOurs.log.keys()]).toEqual([...byApache.log.keys()])
      const different = [...byOurs.log].filter(([name, bytes]) => {
        const other = [byApache.log.get(name), kept.log.get(name)]
        return other.some((each) => each === undefined || !bytes.equals(each))
      })
      expect(different.map(([name]) => name)).toEqual([])
    })
  })
}

async function writeAndKill(
  store: MovingStore,
  family: ServerFamily,
  namesrv: string,
): Promise<void> {
  const broker = await store.open(family)
  const traveller = await Traveller.open(inject('runDir'), namesrv, travelBroker)
  await traveller.write(0, family === ours)
  await traveller.sendBack(0, 3, broker.addr, 'late')
  await traveller.load(1_000, 'travel-load', 4)
  await traveller.untilSent(300)
  await kill(broker)
  await traveller.rest()
  traveller.close()
}

interface Restored {
  readonly endOffset: number
  readonly queues: ReadonlyMap<string, readonly string[]>
  readonly index: readonly string[]
  readonly log: ReadonlyMap<string, Buffer>
}

async function restore(store: MovingStore, family: ServerFamily): Promise<Restored> {
  const broker = await store.open(family)
  let facts: RuntimeFacts = {}
  const isDone = async (): Promise<boolean> => {
    facts = await runtimeFacts(broker)
    return facts['dispatchBehindBytes'] === '0'
  }
  await poll('end of the dispatch', isDone)
  // It is answered when all keys of the log are in the index.
  await ask(broker.addr, queryMessage, {
    ...{ topic: 'travel-plain', key: 'key0', maxNum: '32' },
    ...{ beginTimestamp: '0', endTimestamp: String(Number.MAX_SAFE_INTEGER) },
  })
  // What Apache's broker has written to its maps is in the files; ours writes queues when it ends.
  if (family === apache) await kill(broker)
  else await broker.stop()
  const { directory } = store
  return {
    endOffset: Number(facts['commitLogMaxOffset']),
    queues: queueFiles(directory),
    index: indexEntriesOf(directory),
    log: logFiles(directory),
  }
}

const getBrokerRuntimeInfo = 28
const queryMessage = 12

type RuntimeFacts = Readonly<Record<string, string>>

/** Nothing while a broker of Apache's is not ready to tell. */
async function runtimeFacts(broker: Broker): Promise<RuntimeFacts> {
  const { body, code } = await ask(broker.addr, getBrokerRuntimeInfo)
  return code === 0 ? JSON.parse(body).table : {}
}

async function kill({ child }: Broker): Promise<void> {
  child.kill()
  await child.ended
}
