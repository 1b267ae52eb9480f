import type {
  BinaryOperationNode,
  ColumnUpdateNode,
  LimitNode,
  OffsetNode,
  OperationNode,
  OperatorNode,
  PrimitiveValueListNode,
  RawNode,
  ReferenceNode,
  RootOperationNode,
  ValueListNode,
  ValueNode,
  ValuesNode,
} from 'kysely'

/** What a statement that may be prepared asks of its values. */
export interface Preparable {
  /** So many of the last parameters belong to LIMIT and OFFSET: as text they take nothing but integers. */
  readonly integersAtEnd: number
}

/** Compared with a column by these a parameter means what the literal does: the column's type decides. */
const COMPARISONS = new Set(['=', '==', '!=', '<>', '<', '<=', '>', '>=', '<=>', 'like', 'not like'])
const LIST_COMPARISONS = new Set(['in', 'not in'])

/**
 * Whether a statement means the same prepared as in text, told by Kysely's nodes; undefined: it does not, or may not. An
 * allowlist: each parameter is compared with a column, stored in one, or a limit. Elsewhere a server takes a parameter
 * for another type than the literal (`m + ?`, `json_set(doc, '$.n', ?)`), or for another thing (`order by ?`). Raw SQL can
 * hold anything, user variables, whose types are fixed at PREPARE, for one. Which values fit: `PreparedStatements`.
 */
export function toPreparable(root: RootOperationNode): Preparable | undefined {
  if (root.kind !== 'SelectQueryNode') return isSame(root) ? { integersAtEnd: 0 } : undefined
  const { limit, offset, ...rest } = root
  const bounds = [limit, offset].filter((node) => node !== undefined)
  if (!bounds.every(isBound) || !isSame(rest)) return undefined
  return { integersAtEnd: bounds.filter((node) => isParameter(boundOf(node))).length }
}

function isSame(node: OperationNode): boolean {
  switch (node.kind) {
    case 'ValueNode':
      return isLiteral(node) // where it is allowed as a parameter, its parent has answered
    case 'PrimitiveValueListNode':
    case 'ReturningNode': // a row whose columns do not fit could not be asked for again
    case 'ExplainNode':
      return false
    case 'RawNode':
      return isHarmless(node as RawNode) && childrenOf(node).every(isSame)
    case 'BinaryOperationNode':
      return isComparison(node as BinaryOperationNode) || childrenOf(node).every(isSame)
    case 'ColumnUpdateNode':
      return isParameter((node as ColumnUpdateNode).value) || isSame((node as ColumnUpdateNode).value)
    case 'ValuesNode':
      return (node as ValuesNode).values.every(isList)
    default:
      return childrenOf(node).every(isSame)
  }
}

function isComparison({ leftOperand, operator, rightOperand }: BinaryOperationNode): boolean {
  const left = unwrap(leftOperand)
  const isColumn = left.kind === 'ReferenceNode' && (left as ReferenceNode).column.kind === 'ColumnNode'
  if (!isColumn || operator.kind !== 'OperatorNode') return false
  const name = (operator as OperatorNode).operator
  return isParameter(rightOperand) ? COMPARISONS.has(name) : LIST_COMPARISONS.has(name) && isList(rightOperand)
}

/** `(?, ?, default)` */
function isList(node: OperationNode): boolean {
  if (node.kind === 'PrimitiveValueListNode') return (node as PrimitiveValueListNode).values.length > 0
  return (
    node.kind === 'ValueListNode' && (node as ValueListNode).values.every((item) => isParameter(item) || isSame(item))
  )
}

function isBound(node: LimitNode | OffsetNode): boolean {
  return isParameter(boundOf(node)) || isSame(boundOf(node))
}

function boundOf(node: LimitNode | OffsetNode): OperationNode {
  return node.kind === 'LimitNode' ? node.limit : node.offset
}

function isParameter(node: OperationNode): boolean {
  return node.kind === 'ValueNode' && !isLiteral(node)
}

/** Written into the text. */
function isLiteral(node: OperationNode): boolean {
  return (node as ValueNode).immediate === true
}

/** What `sql.ref()` and `sql.lit()` make around a node, and Kysely's own directions of ORDER BY. */
function isHarmless({ sqlFragments }: RawNode): boolean {
  return sqlFragments.every((fragment) => fragment === '' || fragment === 'asc' || fragment === 'desc')
}

function unwrap(node: OperationNode): OperationNode {
  const [inner, ...others] = node.kind === 'RawNode' && isHarmless(node as RawNode) ? (node as RawNode).parameters : []
  return inner && others.length === 0 ? inner : node
}

function childrenOf(node: OperationNode): OperationNode[] {
  return Object.values(node).flat().filter(isNode)
}

function isNode(value: unknown): value is OperationNode {
  return typeof value === 'object' && value !== null && 'kind' in value
}
