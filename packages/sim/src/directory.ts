/**
 * The names on a simulated disk: a tree of folders as the running system sees it, and the changes
 * to it that are not on the device yet. A change survives a crash for certain once one of the
 * folders it concerns was synced; the others as the crash is told, usually up to a random point, in
 * order, as with a journalling file system. Owns the tree and the list of pending changes.
 */
import type { Fate, SimInode } from './inode.ts'
import type { SimRandom } from './random.ts'

/**
 * What becomes of changes of names that were not synced when the machine loses power. `random`: they
 * survive up to a point, in order. `scattered`: any of them survive, as POSIX allows.
 */
export type NameFate = Fate | 'scattered'

export type SimNode = SimInode | SimDirectory

export class SimDirectory {
  readonly kind = 'directory'
  /** As the running system sees it. */
  entries = new Map<string, SimNode>()
  /** As the device has it. */
  durable = new Map<string, SimNode>()
  modifiedMs: number

  constructor(nowMs: number) {
    this.modifiedMs = nowMs
  }
}

/** A pending change; carried out on the durable side when it reaches the device. */
export interface NameChange {
  readonly directories: readonly SimDirectory[]
  /** The names that it concerns, by folder in the order of `directories`. */
  readonly names: readonly string[]
  reachDevice(): void
}

export class NameJournal {
  #pending: NameChange[] = []

  link(directory: SimDirectory, name: string, node: SimNode): void {
    directory.entries.set(name, node)
    this.#pending.push({
      directories: [directory],
      names: [name],
      reachDevice: () => directory.durable.set(name, node),
    })
  }

  unlink(directory: SimDirectory, name: string): void {
    directory.entries.delete(name)
    this.#pending.push({
      directories: [directory],
      names: [name],
      reachDevice: () => directory.durable.delete(name),
    })
  }

  /** One step that moves a node, replacing what was at the new name. */
  move(from: SimDirectory, fromName: string, to: SimDirectory, toName: string): void {
    const node = from.entries.get(fromName)
    if (node === undefined) return
    from.entries.delete(fromName)
    to.entries.set(toName, node)
    this.#pending.push({
      directories: [from, to],
      names: [fromName, toName],
      reachDevice() {
        from.durable.delete(fromName)
        to.durable.set(toName, node)
      },
    })
  }

  /** The changes that a sync of this folder, begun now, makes durable. */
  changesOf(directory: SimDirectory): ReadonlySet<NameChange> {
    const concerned = new Set([directory])
    const changes = new Set<NameChange>()
    for (const change of this.#pending.toReversed()) {
      if (!change.directories.some((each) => concerned.has(each))) continue
      changes.add(change)
      // What happened before in the other folder of a move must not come after it.
      for (const each of change.directories) concerned.add(each)
    }
    return changes
  }

  /** These changes reach the device, in order. */
  complete(changes: ReadonlySet<NameChange>): void {
    const rest: NameChange[] = []
    for (const change of this.#pending) {
      if (changes.has(change)) change.reachDevice()
      else rest.push(change)
    }
    this.#pending = rest
  }

  completeAll(): void {
    this.complete(new Set(this.#pending))
  }

  get pendingCount(): number {
    return this.#pending.length
  }

  /** Loses power: the tree is what the device has. Returns how many pending changes survived. */
  crash(root: SimDirectory, random: SimRandom, fate: NameFate): number {
    const survivors = survivorsOf(this.#pending, random, fate)
    this.complete(survivors)
    this.#pending = []
    restore(root)
    return survivors.size
  }
}

function survivorsOf(
  pending: readonly NameChange[],
  random: SimRandom,
  fate: NameFate,
): ReadonlySet<NameChange> {
  switch (fate) {
    case 'lost':
      return new Set()
    case 'kept':
      return new Set(pending)
    case 'random':
      return new Set(pending.slice(0, random.below(pending.length + 1)))
    case 'scattered':
      return scattered(pending, random)
  }
}

/** Any of them, except that what becomes of one name keeps its order. */
function scattered(pending: readonly NameChange[], random: SimRandom): ReadonlySet<NameChange> {
  const survivors = new Set<NameChange>()
  const lost = new Map<SimDirectory, Set<string>>()
  for (const change of pending) {
    const { directories, names } = change
    const hindered = directories.some((each, i) => lost.get(each)?.has(names[i] ?? '') === true)
    if (!hindered && random.chance(0.5)) {
      survivors.add(change)
      continue
    }
    for (const [i, each] of directories.entries()) {
      lost.set(each, (lost.get(each) ?? new Set()).add(names[i] ?? ''))
    }
  }
  return survivors
}

function restore(directory: SimDirectory): void {
  directory.entries = new Map(directory.durable)
  for (const node of directory.entries.values()) if (node.kind === 'directory') restore(node)
}
