/**
 * What the parts of one simulated life of a store share: its world, its disk, the model of what it
 * must hold, and what was found. Owns what was found and what the story will tell.
 */
import type { Host } from '@rockhopper/host'
import type { SimHost } from './host.ts'
import type { SimRandom } from './random.ts'
import { type Finding, SimRun } from './run.ts'
import { StoreModel } from './store-model.ts'
import type { StoreSetting } from './store-setting.ts'
import type { SimWorld } from './world.ts'

/** How long a call may take before it is said to hang, in virtual time. */
const CALL_LIMIT_MS = 600_000
/** More broken promises of one life are not kept. */
const MAX_FINDINGS = 8

/** How something that was waited for ended; `died`: the process ended before. */
export type Ended<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'died' }

export class StoreStage {
  readonly run: SimRun
  readonly world: SimWorld
  readonly host: SimHost
  readonly random: SimRandom
  readonly setting: StoreSetting
  readonly model = new StoreModel()
  readonly counts = { appended: 0, acknowledged: 0, opened: 0, read: 0 }
  readonly #doors: (doors: Host) => Host

  /** `choose` draws the setting; `doors` stands between the store and its doors. */
  constructor(
    seed: number,
    choose: (random: SimRandom) => StoreSetting,
    doors: (doors: Host) => Host = (given) => given,
  ) {
    this.run = new SimRun(seed)
    this.world = this.run.world
    this.random = this.world.random
    this.setting = choose(this.random)
    this.host = this.world.host('store', { disk: this.setting.disk })
    this.#doors = doors
  }

  /** The doors of the present process, as the store gets them. */
  doors(): Host {
    return this.#doors(this.host.doors)
  }

  /** Tells the story what happened. */
  tell(sentence: string): void {
    this.run.tell(sentence)
  }

  get findings(): readonly Finding[] {
    return this.run.findings
  }

  /** Notes a broken promise. */
  broke(rule: string, sentence: string): void {
    if (this.findings.length < MAX_FINDINGS) this.run.find(rule, sentence)
  }

  /** Lets time go on until the outcome is there or the process is dead. */
  async wait<T>(outcome: T | Promise<T>): Promise<Ended<T>> {
    let ended: Ended<T> | undefined
    Promise.resolve(outcome).then(
      (value) => {
        ended = { kind: 'done', value }
      },
      (error: unknown) => {
        ended = { kind: 'failed', error }
      },
    )
    const { clock } = this.world
    try {
      await clock.run(() => ended !== undefined || !this.host.running, CALL_LIMIT_MS)
    } catch (error) {
      this.broke('every call ends', String(error))
      return { kind: 'failed', error }
    }
    return this.host.running ? (ended ?? { kind: 'died' }) : { kind: 'died' }
  }
}
