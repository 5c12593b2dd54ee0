/**
 * A file system of its own whose power can be cut: ext4 in an image file behind a loop device. When
 * it is shut down, what was not synced is gone, with the journal's unwritten part. Owns the mount and
 * the loop device; both are gone when it is closed.
 *
 * Linux writes pages back on its own when they are `dirty_expire_centisecs` old (30 s); a volume is
 * never mounted for so long here, so in effect nothing reaches the image that was not synced.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import process from 'node:process'

const GIB = 1024 ** 3
/** A sparse file: it takes what is written. */
const VOLUME_BYTES = 2 * GIB
/** Nobody commits the journal but who syncs. */
const MOUNT_OPTIONS = 'commit=600'
const EXPIRE_FILE = '/proc/sys/vm/dirty_expire_centisecs'
const LEAST_EXPIRE_CENTISECS = 2_000
const UNMOUNT_ATTEMPTS = 50
const UNMOUNT_PAUSE_S = '0.1'

/** EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), with flag 2: the journal is not flushed. */
const SHUT_DOWN = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))
`

export class FragileVolume {
  readonly #image: string
  readonly #directory: string
  #device = ''
  #isMounted = false

  /** Makes the image and mounts it on `directory`. Throws when the system does not let us. */
  constructor(image: string, directory: string) {
    this.#image = image
    this.#directory = directory
    writeFileSync(image, '')
    truncateSync(image, VOLUME_BYTES)
    run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
    mkdirSync(directory, { recursive: true })
    this.#device = run('losetup', '--find', '--show', image).trim()
    this.mount()
  }

  /** Why there can be no such volume here; undefined when there can. */
  static whyNot(): string | undefined {
    if (process.platform !== 'linux') return 'it needs Linux'
    if (process.getuid?.() !== 0) return 'it needs root, to mount a file system of its own'
    for (const program of ['losetup', 'mkfs.ext4', 'mount', 'umount']) {
      if (!isThere(program)) return `there is no program "${program}"`
    }
    if (!isThere('python3') && !isThere('xfs_io')) return 'neither python3 nor xfs_io is there'
    if (!existsSync('/dev/loop-control')) return 'there are no loop devices'
    const expire = Number(readFileSync(EXPIRE_FILE, 'utf8'))
    if (expire >= LEAST_EXPIRE_CENTISECS) return undefined
    return `${EXPIRE_FILE} is ${expire}: pages would be written back while a broker lives`
  }

  /** Mounts the volume; its journal is replayed. */
  mount(): void {
    run('mount', '-t', 'ext4', '-o', MOUNT_OPTIONS, this.#device, this.#directory)
    this.#isMounted = true
  }

  /** Cuts the power: from now on nothing can be written, and what was not synced is gone. */
  shutDown(): Promise<void> {
    const [program, ...args] = isThere('python3')
      ? ['python3', '-c', SHUT_DOWN, this.#directory]
      : ['xfs_io', '-x', '-c', 'shutdown', this.#directory]
    return new Promise((resolve, reject) => {
      const child = spawn(program ?? '', args, { stdio: ['ignore', 'ignore', 'inherit'] })
      child.on('error', reject)
      child.on('close', (code) => {
        if (code === 0) resolve()
        else reject(new Error(`the file system could not be shut down: ${program} says ${code}`))
      })
    })
  }

  unmount(): void {
    if (!this.#isMounted) return
    for (let attempt = 1; ; attempt++) {
      const unmounted = attempted('umount', this.#directory)
      if (unmounted.status === 0) break
      // Somebody who is about to end has still a file open.
      if (attempt === UNMOUNT_ATTEMPTS) throw new Error(unmounted.stderr)
      attempted('sleep', UNMOUNT_PAUSE_S)
    }
    this.#isMounted = false
  }

  /** Unmounts it in any case, and gives the loop device back. */
  close(): void {
    if (this.#isMounted) attempted('umount', '--lazy', this.#directory)
    if (this.#device !== '') attempted('losetup', '--detach', this.#device)
    this.#isMounted = false
    this.#device = ''
  }

  /** For messages. */
  get description(): string {
    return `ext4 with ${MOUNT_OPTIONS} in ${this.#image} behind ${this.#device}`
  }
}

function isThere(program: string): boolean {
  return attempted('sh', '-c', `command -v ${program}`).status === 0
}

function attempted(program: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(program, args, { encoding: 'utf8' })
}

function run(program: string, ...args: readonly string[]): string {
  const { error, status, stderr, stdout } = attempted(program, ...args)
  if (status === 0) return stdout
  throw new Error(`"${[program, ...args].join(' ')}" failed: ${error?.message ?? stderr.trim()}`)
}
