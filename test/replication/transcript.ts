/** What a machine was told and what it wanted done, as lines that a person can read. */

interface Step {
  readonly kind: string
}

/** One line for each event, and one below it for each effect. */
export function transcriptOf<E extends Step>(
  machine: { step(event: E): readonly Step[] },
  events: readonly E[],
): string {
  const lines: string[] = []
  for (const event of events) {
    lines.push(lineOf(event))
    for (const effect of machine.step(event)) lines.push(`  → ${lineOf(effect)}`)
  }
  return lines.join('\n')
}

function lineOf({ kind, ...fields }: Step): string {
  const words = Object.entries(fields).map(([name, value]) => `${name} ${textOf(value)}`)
  return [kind, ...words].join(' ')
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value).replaceAll('"', '') : String(value)
}

/** A text without the indentation of the source. */
export function lines(text: string): string {
  const all = text.split('\n').slice(1, -1)
  const indent = Math.min(...all.map((line) => line.search(/\S/)))
  return all.map((line) => line.slice(indent)).join('\n')
}
