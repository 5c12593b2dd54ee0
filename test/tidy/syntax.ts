/** Small readings of syntax tree nodes (the ESTree form, with TypeScript's additions). */

export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

export function child(node: Node, key: string): Node | undefined {
  const value = node[key]
  return isNode(value) ? value : undefined
}

export function children(node: Node, key: string): Node[] {
  const value = node[key]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The name of an identifier, or the text of a literal that stands for one. */
export function textOf(node: Node): string {
  return String(node['name'] ?? node['value'] ?? '')
}

/** The module an import or export statement names. */
export function sourceOf(node: Node): string {
  return String(child(node, 'source')?.['value'] ?? '')
}

/** Names that refer to nothing outside: `x` in `a.x`, `{ x: 1 }`, `interface { x: … }`. */
export function isBareName(node: Node, key: string): boolean {
  switch (node.type) {
    case 'MemberExpression':
      return key === 'property' && node['computed'] !== true
    case 'Property':
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'TSPropertySignature':
    case 'TSMethodSignature':
      return key === 'key' && node['computed'] !== true
    case 'TSQualifiedName':
      return key === 'right'
    case 'ImportSpecifier':
      return key === 'imported'
    case 'ExportSpecifier':
      return key === 'exported'
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
      return key === 'label'
    default:
      return false
  }
}

/** The names that a declaration (of variables, a function, a class, a type) declares. */
export function declaredNames(declaration: Node): string[] {
  if (declaration.type !== 'VariableDeclaration') {
    const id = child(declaration, 'id')
    return id === undefined ? [] : [textOf(id)]
  }
  return children(declaration, 'declarations').flatMap((declarator) => {
    const id = child(declarator, 'id')
    return id === undefined ? [] : boundNames(id)
  })
}

/** The names that a pattern binds: `a` and `b` of `{ x: a, ...b }`. */
function boundNames(pattern: Node): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [textOf(pattern)]
    case 'ObjectPattern':
      return children(pattern, 'properties').flatMap(boundNames)
    case 'ArrayPattern':
      return children(pattern, 'elements').flatMap(boundNames)
    default: {
      const inner = child(pattern, 'value') ?? child(pattern, 'left') ?? child(pattern, 'argument')
      return inner === undefined ? [] : boundNames(inner)
    }
  }
}

/** The names that are known inside a node and unknown outside of it. */
export function scopeOf(node: Node): string[] {
  switch (node.type) {
    case 'Program':
    case 'BlockStatement':
    case 'FunctionBody':
    case 'StaticBlock':
      return children(node, 'body').flatMap(statementNames)
    case 'SwitchStatement':
      return children(node, 'cases')
        .flatMap((branch) => children(branch, 'consequent'))
        .flatMap(statementNames)
    case 'ForStatement':
      return [child(node, 'init')].flatMap((init) => (init ? statementNames(init) : []))
    case 'ForOfStatement':
    case 'ForInStatement':
      return [child(node, 'left')].flatMap((left) => (left ? statementNames(left) : []))
    case 'CatchClause':
      return [child(node, 'param')].flatMap((param) => (param ? boundNames(param) : []))
    default:
      return [...children(node, 'params'), ...children(node, 'parameters')].flatMap(boundNames)
  }
}

function statementNames(statement: Node): string[] {
  if (statement.type === 'ImportDeclaration') {
    return children(statement, 'specifiers').flatMap((specifier) => {
      const local = child(specifier, 'local')
      return local === undefined ? [] : [textOf(local)]
    })
  }
  if (statement.type === 'ExportNamedDeclaration') {
    const declaration = child(statement, 'declaration')
    return declaration === undefined ? [] : declaredNames(declaration)
  }
  return /Declaration$/.test(statement.type) ? declaredNames(statement) : []
}
