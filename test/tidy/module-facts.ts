/**
 * What the tidy laws need to know about one source file, read from its syntax tree: what it imports
 * and exports, which globals it names, its comments and its functions.
 */
import { parseSync } from 'vite'
import {
  child,
  children,
  declaredNames,
  isBareName,
  isNode,
  type Node,
  scopeOf,
  sourceOf,
  textOf,
} from './syntax.ts'

/** One name taken from another module; `*` stands for all of them. */
export interface ImportedName {
  readonly from: string
  readonly name: string
  /** Whether only its type is taken. */
  readonly isType: boolean
  readonly line: number
}

interface Named {
  readonly name: string
  readonly line: number
}

export interface ExportedName extends Named {
  /** Whether it is declared here as an interface or a type. */
  readonly isType: boolean
}

interface Identifier extends Named {
  /** Whether the file does not declare it where it is used: a global. */
  readonly free: boolean
}

export interface Comment {
  readonly text: string
  readonly line: number
}

export interface FunctionSize {
  readonly name: string
  readonly line: number
  readonly lines: number
}

export interface ModuleFacts {
  /** Relative to the root of the repository, with forward slashes. */
  readonly path: string
  readonly lines: number
  readonly imports: readonly ImportedName[]
  readonly exports: readonly ExportedName[]
  /** Identifiers that stand for a value or a type, with the line of each use. */
  readonly identifiers: readonly Identifier[]
  /** `object.property` pairs, such as `Math.random`. */
  readonly members: readonly Named[]
  readonly comments: readonly Comment[]
  /** Whether the first thing in the file is a comment of the form slash star star. */
  readonly opensWithComment: boolean
  readonly functions: readonly FunctionSize[]
}

/** Reads a file. Throws when it is not TypeScript. */
export function readModule(path: string, text: string): ModuleFacts {
  const source = text.startsWith('#!') ? `//${text.slice(2)}` : text
  const { program, comments, errors } = parseSync(path, source)
  const first = errors[0]
  if (first !== undefined) throw new Error(`${path} cannot be parsed: ${first.message}`)
  const lineOf = lineCounter(source)
  const reader = new TreeReader(lineOf)
  reader.visit(program as unknown as Node, undefined)
  return {
    path,
    lines: lineOf(source.trimEnd().length),
    ...reader.facts,
    comments: comments.map(({ value, start }) => ({ text: value, line: lineOf(start) })),
    opensWithComment: /^(\/\/[^\n]*\n)?\/\*\*/.test(source),
  }
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

/** One walk over a tree, collecting into `facts`. */
class TreeReader {
  readonly facts = {
    imports: [] as ImportedName[],
    exports: [] as ExportedName[],
    identifiers: [] as Identifier[],
    members: [] as Named[],
    functions: [] as FunctionSize[],
  }
  readonly #lineOf: (offset: number) => number
  readonly #scopes: ReadonlySet<string>[] = []

  constructor(lineOf: (offset: number) => number) {
    this.#lineOf = lineOf
  }

  visit(node: Node, parent: Node | undefined): void {
    const names = scopeOf(node)
    if (names.length > 0) this.#scopes.push(new Set(names))
    this.#collect(node, parent)
    for (const key in node) {
      if (isBareName(node, key)) continue
      const value = node[key]
      if (Array.isArray(value)) {
        for (const item of value) if (isNode(item)) this.visit(item, node)
      } else if (isNode(value)) this.visit(value, node)
    }
    if (names.length > 0) this.#scopes.pop()
  }

  #collect(node: Node, parent: Node | undefined): void {
    switch (node.type) {
      case 'ImportDeclaration':
        return this.#importDeclaration(node)
      case 'ImportExpression':
      case 'TSImportType':
        return this.#wholeImport(node)
      case 'ExportAllDeclaration':
        return this.#exportAll(node)
      case 'ExportNamedDeclaration':
        return this.#exportNamed(node)
      case 'ExportDefaultDeclaration':
        this.facts.exports.push({ name: 'default', isType: false, line: this.#lineOf(node.start) })
        return
      case 'Identifier':
        return this.#identifier(node)
      case 'MemberExpression':
        return this.#member(node)
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return this.#function(node, parent)
    }
  }

  #identifier(node: Node): void {
    const name = textOf(node)
    const free = !this.#scopes.some((scope) => scope.has(name))
    this.facts.identifiers.push({ name, free, line: this.#lineOf(node.start) })
  }

  #importDeclaration(node: Node): void {
    const from = sourceOf(node)
    const line = this.#lineOf(node.start)
    const specifiers = children(node, 'specifiers')
    const allTypes = node['importKind'] === 'type'
    if (specifiers.length === 0) this.facts.imports.push({ from, name: '*', isType: false, line })
    for (const specifier of specifiers) {
      const imported = child(specifier, 'imported')
      const whole = specifier.type === 'ImportDefaultSpecifier' ? 'default' : '*'
      const name = imported === undefined ? whole : textOf(imported)
      const isType = allTypes || specifier['importKind'] === 'type'
      this.facts.imports.push({ from, name, isType, line })
    }
  }

  #wholeImport(node: Node): void {
    const source = child(node, 'source') ?? child(node, 'argument')
    const literal = source?.type === 'TSLiteralType' ? child(source, 'literal') : source
    const from = literal?.['value']
    const line = this.#lineOf(node.start)
    const isType = node.type === 'TSImportType'
    if (typeof from === 'string') this.facts.imports.push({ from, name: '*', isType, line })
  }

  #exportAll(node: Node): void {
    const from = sourceOf(node)
    const line = this.#lineOf(node.start)
    const exported = child(node, 'exported')
    this.facts.imports.push({ from, name: '*', isType: false, line })
    if (exported !== undefined)
      this.facts.exports.push({ name: textOf(exported), isType: false, line })
  }

  #exportNamed(node: Node): void {
    const line = this.#lineOf(node.start)
    const from = child(node, 'source')?.['value']
    for (const specifier of children(node, 'specifiers')) {
      const local = child(specifier, 'local')
      const exported = child(specifier, 'exported')
      if (exported !== undefined)
        this.facts.exports.push({ name: textOf(exported), isType: false, line })
      if (typeof from === 'string' && local !== undefined)
        this.facts.imports.push({ from, name: textOf(local), isType: false, line })
    }
    const declaration = child(node, 'declaration')
    if (declaration === undefined) return
    const isType = /^TS(Interface|TypeAlias)Declaration$/.test(declaration.type)
    for (const name of declaredNames(declaration)) this.facts.exports.push({ name, isType, line })
  }

  #member(node: Node): void {
    const object = child(node, 'object')
    const property = child(node, 'property')
    if (object?.type !== 'Identifier' || property === undefined) return
    const name = `${textOf(object)}.${textOf(property)}`
    this.facts.members.push({ name, line: this.#lineOf(node.start) })
  }

  #function(node: Node, parent: Node | undefined): void {
    const line = this.#lineOf(node.start)
    const named = child(node, 'id') ?? (parent && (child(parent, 'key') ?? child(parent, 'id')))
    const name = named === undefined ? 'a function' : textOf(named)
    this.facts.functions.push({ name, line, lines: this.#lineOf(node.end) - line + 1 })
  }
}
