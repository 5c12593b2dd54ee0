/**
 * Whether a simulated process still runs. Everything a process has set in motion asks before it
 * goes on, so that nothing of a killed process ever runs again. Owns that one fact.
 */
export class Life {
  #alive = true

  get alive(): boolean {
    return this.#alive
  }

  end(): void {
    this.#alive = false
  }
}
