/**
 * The bytes of one simulated file: what the page cache holds, and for each page that was not synced
 * what the device still holds. Pages of 4 KiB, absent where the file is a hole. Owns both images.
 *
 * A sync splits time into epochs: pages changed before it and after it keep their former content
 * apart, so that a crash during the sync can go back to either.
 */
import type { SimRandom } from './random.ts'
import type { SimVolume } from './volume.ts'

export const PAGE_BYTES = 4096
/** What a device writes whole; a page can be torn between sectors. */
const SECTOR_BYTES = 512
const SLAB_PAGES = 32
/** How often a page that was being written is found torn after a crash. */
const TORN_CHANCE = 0.3

/** What becomes of changes that were not synced when the machine loses power. */
export type Fate = 'random' | 'lost' | 'kept'

/** The content of a page; undefined is a hole. */
type Page = Buffer | undefined
/** Former content of the pages that changed in one epoch. */
type Undo = Map<number, Page>

/** A sync under way: it covers everything that was written before it began. */
interface SyncPoint {
  readonly epoch: number
  readonly sizeBytes: number
}

export class SimInode {
  readonly kind = 'file'
  readonly #volume: SimVolume
  readonly #pages = new Map<number, Buffer>()
  /** By epoch, oldest first; the last one is open. */
  #unsynced = new Map<number, Undo>([[0, new Map()]])
  #epoch = 0
  #durableEpoch = -1
  #durableSizeBytes = 0
  /** Pages whose sync failed: the system takes them for clean, the device never got them. */
  readonly #lost: Undo = new Map()
  #sizeBytes = 0
  modifiedMs: number

  constructor(volume: SimVolume, nowMs: number) {
    this.#volume = volume
    this.modifiedMs = nowMs
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Room taken on the volume; a hole takes none. */
  get allocatedBytes(): number {
    return this.#pages.size * PAGE_BYTES
  }

  /** Writes as much as the volume has room for; returns the bytes taken. */
  write(chunk: Uint8Array, position: number): number {
    let taken = 0
    while (taken < chunk.length) {
      const at = position + taken
      const start = at % PAGE_BYTES
      const count = Math.min(PAGE_BYTES - start, chunk.length - taken)
      const page = this.#writablePage(Math.floor(at / PAGE_BYTES))
      if (page === undefined) break
      page.set(chunk.subarray(taken, taken + count), start)
      taken += count
    }
    if (taken > 0) this.#sizeBytes = Math.max(this.#sizeBytes, position + taken)
    return taken
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.#sizeBytes - position))
    let done = 0
    while (done < count) {
      const start = (position + done) % PAGE_BYTES
      const part = target.subarray(done, Math.min(count, done + PAGE_BYTES - start))
      const page = this.#pages.get(Math.floor((position + done) / PAGE_BYTES))
      if (page === undefined) part.fill(0)
      else part.set(page.subarray(start, start + part.length))
      done += part.length
    }
    return count
  }

  setLength(sizeBytes: number): void {
    const shrinks = sizeBytes < this.#sizeBytes
    this.#sizeBytes = sizeBytes
    if (shrinks) this.#clearBehindEnd()
  }

  beginSync(): SyncPoint {
    const point = { epoch: this.#epoch, sizeBytes: this.#sizeBytes }
    this.#epoch += 1
    this.#unsynced.set(this.#epoch, new Map())
    return point
  }

  /** Everything written before `beginSync` is on the device. */
  completeSync(point: SyncPoint): void {
    if (point.epoch <= this.#durableEpoch) return
    this.#durableEpoch = point.epoch
    this.#durableSizeBytes = point.sizeBytes
    for (const undo of this.#takeEpochs(point.epoch)) {
      for (const index of undo.keys()) this.#lost.delete(index)
    }
  }

  /** The device refused: as on Linux, the pages count as clean from now on, and are not. */
  failSync(point: SyncPoint): void {
    for (const undo of this.#takeEpochs(point.epoch)) {
      for (const [index, page] of undo) if (!this.#lost.has(index)) this.#lost.set(index, page)
    }
  }

  /** The pages whose sync failed, and that were not written again, are read anew from the device. */
  dropLost(): void {
    for (const [index, page] of this.#lost) {
      const isDirty = [...this.#unsynced.values()].some((undo) => undo.has(index))
      if (isDirty) continue
      this.#setPage(index, page)
      this.#lost.delete(index)
    }
  }

  /** Everything is on the device at once, without waiting. */
  makeDurable(): void {
    this.#lost.clear()
    this.completeSync(this.beginSync())
  }

  /** Loses power: what was not synced is kept, lost or torn. */
  crash(random: SimRandom, fate: Fate): void {
    const size = survivingSize(this.#durableSizeBytes, this.#sizeBytes, random, fate)
    const versions = this.#versionsOfChangedPages()
    for (const index of [...versions.keys()].sort((a, b) => a - b)) {
      this.#setPage(index, survivingPage(versions.get(index) ?? [], random, fate))
    }
    this.#sizeBytes = size
    this.#clearBehindEnd()
    this.makeDurable()
  }

  /** Gives the room back; the file has no name and nobody has it open. */
  free(): void {
    this.#volume.release(this.#pages.size)
    this.#pages.clear()
    this.#sizeBytes = 0
  }

  /** Former contents of each page that is not surely durable, oldest first, the present one last. */
  #versionsOfChangedPages(): Map<number, Page[]> {
    const versions = new Map<number, Page[]>()
    for (const undo of [this.#lost, ...this.#unsynced.values()]) {
      for (const [index, page] of undo) {
        const known = versions.get(index)
        if (known === undefined) versions.set(index, [page])
        else known.push(page)
      }
    }
    for (const [index, known] of versions) known.push(this.#pages.get(index))
    return versions
  }

  #takeEpochs(last: number): Undo[] {
    const taken: Undo[] = []
    for (const [epoch, undo] of this.#unsynced) {
      if (epoch > last) break
      taken.push(undo)
      this.#unsynced.delete(epoch)
    }
    return taken
  }

  #writablePage(index: number): Page {
    const page = this.#pages.get(index)
    if (page === undefined && !this.#volume.take(1)) return undefined
    this.#remember(index, page)
    if (page !== undefined) return page
    const fresh = newPage().fill(0)
    this.#pages.set(index, fresh)
    return fresh
  }

  /** Keeps what a page was before its first change in this epoch. */
  #remember(index: number, page: Page): void {
    const undo = this.#unsynced.get(this.#epoch)
    if (undo === undefined || undo.has(index)) return
    undo.set(index, page === undefined ? undefined : copyOf(page))
  }

  #setPage(index: number, page: Page): void {
    const had = this.#pages.has(index)
    if (page === undefined) {
      if (this.#pages.delete(index)) this.#volume.release(1)
      return
    }
    if (!had) this.#volume.takeAlways(1)
    this.#pages.set(index, page)
  }

  /** Drops pages behind the end and zeroes the rest of the last one, so that growth reads zeros. */
  #clearBehindEnd(): void {
    const lastIndex = Math.floor(this.#sizeBytes / PAGE_BYTES)
    const start = this.#sizeBytes % PAGE_BYTES
    for (const [index, page] of this.#pages) {
      if (index < lastIndex) continue
      this.#remember(index, page)
      if (index > lastIndex || start === 0) this.#setPage(index, undefined)
      else page.fill(0, start)
    }
  }
}

let slab = Buffer.alloc(0)
let slabUsedBytes = 0

/** A page of whatever bytes. Pages are cut from larger pieces, which are made much faster. */
function newPage(): Buffer {
  if (slabUsedBytes === slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_PAGES * PAGE_BYTES)
    slabUsedBytes = 0
  }
  slabUsedBytes += PAGE_BYTES
  return slab.subarray(slabUsedBytes - PAGE_BYTES, slabUsedBytes)
}

function copyOf(page: Buffer): Buffer {
  const copy = newPage()
  page.copy(copy)
  return copy
}

function survivingSize(durable: number, present: number, random: SimRandom, fate: Fate): number {
  if (fate === 'lost') return durable
  if (fate === 'kept') return present
  const low = Math.min(durable, present)
  const high = Math.max(durable, present)
  const pages = Math.floor((high - low) / PAGE_BYTES)
  const between = Math.min(high, low + random.below(pages + 1) * PAGE_BYTES)
  return [durable, present, between][random.below(3)] ?? present
}

function survivingPage(versions: readonly Page[], random: SimRandom, fate: Fate): Page {
  if (fate === 'lost') return versions[0]
  if (fate === 'kept') return versions.at(-1)
  const chosen = versions[random.below(versions.length)]
  if (!random.chance(TORN_CHANCE)) return chosen
  return tear(chosen, versions[random.below(versions.length)], random)
}

/** A page of which some sectors are from one version and the others from another. */
function tear(one: Page, other: Page, random: SimRandom): Page {
  const page = newPage().fill(0)
  for (let start = 0; start < PAGE_BYTES; start += SECTOR_BYTES) {
    const source = random.chance(0.5) ? one : other
    source?.copy(page, start, start, start + SECTOR_BYTES)
  }
  return page
}
