/**
 * Whether a simulated process still runs, or is stopped for a while (as by SIGSTOP). Everything a
 * process has set in motion asks before it goes on, so that nothing of a killed process ever runs
 * again. Owns that, and what waits for a stopped process to go on.
 */
export class Life {
  #alive = true
  #held: (() => void)[] | undefined

  get alive(): boolean {
    return this.#alive
  }

  /** Runs the task now, or when the process goes on, or never if it has ended. */
  run(task: () => void): void {
    if (!this.#alive) return
    if (this.#held === undefined) task()
    else this.#held.push(task)
  }

  /** From now on tasks wait. */
  pause(): void {
    this.#held ??= []
  }

  /** Tasks run again; those that have waited are given back, in order. */
  resume(): readonly (() => void)[] {
    const held = this.#held ?? []
    this.#held = undefined
    return held
  }

  end(): void {
    this.#alive = false
    this.#held = undefined
  }
}
