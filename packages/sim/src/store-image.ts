/**
 * The files of a store that is not open, to be put on other disks as they are, or damaged. Owns
 * nothing.
 */
import type { SimHost } from './host.ts'
import { PAGE_BYTES } from './inode.ts'
import { STORE_ROOT } from './store-setting.ts'

/** By path; folders are those of the files. */
export type StoreImage = ReadonlyMap<string, Buffer>

/** What a disk has below the folder of simulated stores. */
export function takeImage({ disk }: SimHost): StoreImage {
  const image = new Map<string, Buffer>()
  const visit = (path: string): void => {
    if (disk.stat(path)?.kind === 'directory') {
      for (const name of disk.list(path)) visit(`${path}/${name}`)
      return
    }
    const file = disk.open(path, 'read')
    const bytes = Buffer.alloc(file.sizeBytes())
    for (let done = 0; done < bytes.length; ) done += file.readSync(bytes.subarray(done), done)
    file.close()
    image.set(path, bytes)
  }
  visit(STORE_ROOT)
  return image
}

/** Puts the files on a disk that has none of them, as if they had always been there. */
export function putImage({ disk }: SimHost, image: StoreImage): void {
  for (const [path, bytes] of image) {
    disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
    const file = disk.open(path, 'create')
    file.setLength(bytes.length)
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
      const page = bytes.subarray(at, at + PAGE_BYTES)
      if (page.some((byte) => byte !== 0)) file.writeSync([page], at)
    }
    file.close()
  }
  disk.makeDurable()
}

/** The image with other bytes in the place of one file. */
export function withFile(image: StoreImage, path: string, bytes: Buffer): StoreImage {
  return new Map(image).set(path, bytes)
}
