/**
 * Headers are objects to programs and lists of values to the codecs. The way between the two is taken
 * for every request, and a loop over names is slow there: the engine looks each name up anew. So for
 * each table of names two functions are generated that name every field once. Owns nothing.
 */

/** Objects with certain keys, as lists of their values, and back. */
export interface Shape {
  /** An object with these values under the keys of the shape, undefined ones included. */
  readonly fromList: (list: readonly unknown[]) => Record<string, unknown>
  /** Puts the values of `source` into `list`, undefined for what it has not. */
  readonly toList: (source: Readonly<Record<string, unknown>>, list: unknown[]) => void
}

/** What may stand in generated code; a letter in front, so that no name means more than itself. */
const PLAIN_NAME = /^[A-Za-z][A-Za-z0-9_]*$/

/** The shape with these keys, none of which may be a word of JavaScript's own objects. */
export function shapeOf(names: readonly string[]): Shape {
  if (!names.every((name) => PLAIN_NAME.test(name))) return loops(names)
  try {
    return generated(names)
  } catch (error) {
    // A process may forbid code from strings (--disallow-code-generation-from-strings).
    if (error instanceof EvalError) return loops(names)
    throw error
  }
}

function generated(names: readonly string[]): Shape {
  const pairs = names.map((name, i) => `${name}: list[${i}]`)
  const reads = names.map((name, i) => `list[${i}] = source.${name}`)
  return {
    fromList: new Function('list', `return { ${pairs.join(', ')} }`) as Shape['fromList'],
    toList: new Function('source', 'list', reads.join('\n')) as Shape['toList'],
  }
}

function loops(names: readonly string[]): Shape {
  return {
    fromList: (list) => Object.fromEntries(names.map((name, i) => [name, list[i]])),
    toList: (source, list) => {
      for (const [i, name] of names.entries()) list[i] = source[name]
    },
  }
}
