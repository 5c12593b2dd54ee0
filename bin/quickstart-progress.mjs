/** Shows how far the quickstart is: a bar on a terminal, a line now and then elsewhere. */

const BAR_CHARS = 30
const TERMINAL_MS = 100
const LINE_MS = 2_000

export class Progress {
  #count
  #sent = 0
  #received = 0
  #shownMs = performance.now()
  #isTerminal = process.stdout.isTTY === true

  /** @param {number} count */
  constructor(count) {
    this.#count = count
  }

  /** @param {number} count */
  sent(count) {
    this.#sent = count
    this.#show()
  }

  /** @param {number} count */
  received(count) {
    this.#received = count
    this.#show()
  }

  /** Takes the bar away, so that the results stand alone. */
  end() {
    if (this.#isTerminal) process.stdout.write('\r\x1b[2K')
  }

  #show() {
    const nowMs = performance.now()
    if (nowMs - this.#shownMs < (this.#isTerminal ? TERMINAL_MS : LINE_MS)) return
    this.#shownMs = nowMs
    const text = `sent ${this.#sent}, received ${this.#received} of ${this.#count}`
    process.stdout.write(this.#isTerminal ? `\r\x1b[2K${this.#bar()} ${text}` : `${text}\n`)
  }

  #bar() {
    const full = Math.round((this.#received / this.#count) * BAR_CHARS)
    const half = Math.round((this.#sent / this.#count) * BAR_CHARS) - full
    const bar = '#'.repeat(full) + '-'.repeat(Math.max(0, half))
    return `[${bar.padEnd(BAR_CHARS)}]`
  }
}
