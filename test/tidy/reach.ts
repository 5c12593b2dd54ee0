/** Two questions about arrows between names: which circles there are, and what can be reached. */

/** The circles among `nodes`, each as the names along it, the first one repeated at the end. */
export function findCycles(
  nodes: readonly string[],
  arrows: (node: string) => readonly string[],
): string[][] {
  const state = new Map<string, 'open' | 'done'>()
  const path: string[] = []
  const cycles: string[][] = []
  const visit = (node: string): void => {
    if (state.get(node) === 'done') return
    if (state.get(node) === 'open') {
      cycles.push([...path.slice(path.indexOf(node)), node])
      return
    }
    state.set(node, 'open')
    path.push(node)
    for (const next of arrows(node)) visit(next)
    path.pop()
    state.set(node, 'done')
  }
  for (const node of nodes) visit(node)
  return cycles
}

/** Everything that can be reached from `starts`, themselves included. */
export function reachableFrom(
  starts: readonly string[],
  arrows: (node: string) => readonly string[],
): Set<string> {
  const reached = new Set<string>(starts)
  for (const node of reached) for (const next of arrows(node)) reached.add(next)
  return reached
}
