/** A store that is left, and looked into over doors that throw when anything would be changed. */
import type { Disk, ReadOnlyDisk, ReadOnlyFile } from '@rockhopper/host'
import { propertyPair } from '@rockhopper/protocol'
import type { MessageToStore, StoreConfig } from '@rockhopper/store'
import {
  findStore,
  type ReadingHost,
  type StoreFolder,
} from '../../packages/store/src/inspect/store-folder.ts'
import { ROOT, StoreScene } from './scene.ts'

/** So small an index that a few messages fill its files. */
export const KEY_INDEX = { enabled: true, slotCount: 16, entryLimit: 64, maxMessages: 64 }

export function keyed(key: string, options: Partial<MessageToStore> = {}): Partial<MessageToStore> {
  const properties = [propertyPair('UNIQ_KEY', `U-${key}`), propertyPair('KEYS', key)]
  return { properties, body: Buffer.from(`body of ${key}`), ...options }
}

export class InspectScene {
  readonly scene: StoreScene

  constructor(scene: StoreScene) {
    this.scene = scene
  }

  static async opened(config: Partial<StoreConfig> = {}): Promise<InspectScene> {
    return new InspectScene(await StoreScene.opened({ keyIndex: KEY_INDEX, ...config }))
  }

  /** Messages `k0`, `k1` … with keys, by turns in two queues. */
  async fill(count: number, options: Partial<MessageToStore> = {}): Promise<void> {
    for (let i = 0; i < count; i++)
      await this.scene.put(keyed(`k${i}`, { queueId: i % 2, ...options }))
  }

  get host(): ReadingHost {
    return { ...this.scene.host.doors, disk: readOnly(this.scene.host.doors.disk) }
  }

  get folder(): StoreFolder {
    return findStore(this.host.disk, ROOT)
  }

  /** Changes one bit of a file. */
  flip(path: string, at: number): void {
    const bytes = this.scene.fileBytes(path)
    this.scene.putBytes(path, Buffer.from([(bytes[at] ?? 0) ^ 1]), at)
  }

  /** Every file and its bytes. */
  image(): Map<string, string> {
    const image = new Map<string, string>()
    const walk = (path: string): void => {
      if (this.scene.host.disk.stat(path)?.kind === 'file') {
        image.set(path, this.scene.fileBytes(path).toString('base64'))
      } else {
        for (const name of this.scene.host.disk.list(path)) walk(`${path}/${name}`)
      }
    }
    walk(ROOT)
    return image
  }
}

/** The disk with everything taken away that could change it; what is not named here throws. */
export function readOnly(disk: Disk): ReadOnlyDisk {
  return strict<ReadOnlyDisk>({
    open: (path, mode) => {
      if (mode !== 'read') throw new Error(`"${path}" was opened for ${mode}`)
      const file = disk.open(path, 'read')
      return strict<ReadOnlyFile>({
        path,
        readSync: (target, position) => file.readSync(target, position),
        read: (target, position) => file.read(target, position),
        sizeBytes: () => file.sizeBytes(),
        close: () => file.close(),
      })
    },
    list: (directory) => disk.list(directory),
    stat: (path) => disk.stat(path),
  })
}

function strict<T extends object>(doors: T): T {
  return new Proxy(doors, {
    get(target, name) {
      if (Reflect.has(target, name)) return Reflect.get(target, name)
      throw new Error(`the store may only be read, but ${String(name)} was asked for`)
    },
  })
}
