import type {
  AggregateFunctionNode,
  CompiledQuery,
  FunctionNode,
  OperationNode,
  OperationNodeKind,
  OperationNodeSource,
  RawNode,
  RootOperationNode,
  SelectModifierNode,
} from 'kysely'
import { BUILT_IN_FUNCTIONS } from './built-in-functions.ts'

/**
 * What a statement may do.
 * - `read`: a SELECT from tables that locks nothing: it can always be asked again, and nobody sees that it was.
 * - `write`: INSERT, UPDATE, DELETE or a locking SELECT: changes rows, but not the session.
 * - `other`: all else: raw SQL, also a fragment of it, and functions that are not known to be harmless, stored ones too. It may
 *   change rows, and the session in ways that no server tells.
 */
export type StatementKind = 'read' | 'write' | 'other'

/** What was vouched for, and what is built once and run often: that costs a look-up instead of a walk. */
const kinds = new WeakMap<OperationNode, StatementKind>()

/**
 * Vouches for raw SQL, a whole statement or a fragment (`sql<boolean>`...``), that it changes neither rows nor the session, and
 * may run twice; also for a SELECT that calls a stored function. A fragment in a write leaves that a write. Kysely's
 * plugins that rewrite statements lose a fragment's mark: then mark the compiled statement. A view needs no mark, and is taken
 * for a table, whatever functions it hides.
 */
export function asRead<T extends CompiledQuery | OperationNodeSource>(what: T): T {
  kinds.set('query' in what ? what.query : what.toOperationNode(), 'read')
  return what
}

/** Told by Kysely's nodes, never by the text. */
export function statementKind({ query }: { readonly query: RootOperationNode }): StatementKind {
  return kinds.get(query) ?? kindOfRoot(query)
}

/** Whether somebody's word for it, or for a part of it, may have been needed to tell its kind. */
export function isVouchedFor(node: OperationNode): boolean {
  if (kinds.has(node)) return true
  if (MEANINGS[node.kind] === 'value') return false
  return Object.values(node)
    .flat()
    .some((part) => isNode(part) && isVouchedFor(part))
}

/** Keeps the kind of a statement that is built once and run often. */
export function keepKind(statement: { readonly query: RootOperationNode }): void {
  kinds.set(statement.query, statementKind(statement))
}

function kindOfRoot(root: RootOperationNode): StatementKind {
  switch (root.kind) {
    case 'SelectQueryNode':
      return worstOf(root, 'read')
    case 'InsertQueryNode':
    case 'UpdateQueryNode':
    case 'DeleteQueryNode':
      return worstOf(root, 'write')
    default:
      return 'other'
  }
}

/** What a node's being in a statement says of it: nothing beyond what its children do, or what its name or text does. */
type Meaning = 'name' | 'children' | 'select' | 'value' | 'function' | 'raw' | 'modifier' | 'other'

/** Every kind of the installed Kysely: a new one does not compile, and is `other` until it is known. */
const MEANINGS: Readonly<Record<OperationNodeKind, Meaning>> = {
  AggregateFunctionNode: 'function',
  AliasNode: 'children',
  AndNode: 'children',
  BinaryOperationNode: 'children',
  CaseNode: 'children',
  CastNode: 'children',
  CollateNode: 'children',
  ColumnNode: 'name',
  ColumnUpdateNode: 'children',
  CommonTableExpressionNameNode: 'children',
  CommonTableExpressionNode: 'children',
  DataTypeNode: 'children',
  DefaultInsertValueNode: 'children',
  ExplainNode: 'children',
  FetchNode: 'children',
  FromNode: 'children',
  FunctionNode: 'function',
  GroupByItemNode: 'children',
  GroupByNode: 'children',
  HavingNode: 'children',
  IdentifierNode: 'name',
  JSONOperatorChainNode: 'children',
  JSONPathLegNode: 'children',
  JSONPathNode: 'children',
  JSONReferenceNode: 'children',
  JoinNode: 'children',
  LimitNode: 'children',
  ListNode: 'children',
  OffsetNode: 'children',
  OnDuplicateKeyNode: 'children',
  OnNode: 'children',
  OperatorNode: 'name',
  OrActionNode: 'children',
  OrNode: 'children',
  OrderByItemNode: 'children',
  OrderByNode: 'children',
  OverNode: 'children',
  ParensNode: 'children',
  PartitionByItemNode: 'children',
  PartitionByNode: 'children',
  PrimitiveValueListNode: 'value',
  RawNode: 'raw',
  ReferenceNode: 'name',
  SchemableIdentifierNode: 'name',
  SelectAllNode: 'name',
  SelectModifierNode: 'modifier',
  SelectQueryNode: 'select',
  SelectionNode: 'children',
  SetOperationNode: 'children',
  TableNode: 'name',
  TopNode: 'children',
  TupleNode: 'children',
  UnaryOperationNode: 'children',
  UsingNode: 'children',
  ValueListNode: 'children',
  ValueNode: 'value',
  ValuesNode: 'children',
  WhenNode: 'children',
  WhereNode: 'children',
  WithNode: 'children',
  // Roots, whose kind is told by themselves, and what another database has.
  AddColumnNode: 'other',
  AddConstraintNode: 'other',
  AddIndexNode: 'other',
  AddValueNode: 'other',
  AlterColumnNode: 'other',
  AlterTableNode: 'other',
  AlterTypeNode: 'other',
  CheckConstraintNode: 'other',
  ColumnDefinitionNode: 'other',
  CreateIndexNode: 'other',
  CreateSchemaNode: 'other',
  CreateTableNode: 'other',
  CreateTypeNode: 'other',
  CreateViewNode: 'other',
  DefaultValueNode: 'other',
  DeleteQueryNode: 'other',
  DropColumnNode: 'other',
  DropConstraintNode: 'other',
  DropIndexNode: 'other',
  DropSchemaNode: 'other',
  DropTableNode: 'other',
  DropTypeNode: 'other',
  DropViewNode: 'other',
  ForeignKeyConstraintNode: 'other',
  GeneratedNode: 'other',
  InsertQueryNode: 'other',
  MatchedNode: 'other',
  MergeQueryNode: 'other',
  ModifyColumnNode: 'other',
  OnConflictNode: 'other',
  OutputNode: 'other',
  PrimaryKeyConstraintNode: 'other',
  ReferencesNode: 'other',
  RefreshMaterializedViewNode: 'other',
  RenameColumnNode: 'other',
  RenameConstraintNode: 'other',
  RenameValueNode: 'other',
  ReturningNode: 'children',
  UniqueConstraintNode: 'other',
  UpdateQueryNode: 'other',
}

/**
 * Of the children, and at least `least`. Without lists of its own (`Object.values`): a statement that is built anew each time
 * pays for the walk each time.
 */
function worstOf(node: OperationNode, least: StatementKind): StatementKind {
  let worst = least
  for (const key in node) {
    const value = (node as unknown as Readonly<Record<string, unknown>>)[key]
    if (typeof value !== 'object' || value === null) continue
    const kind = Array.isArray(value) ? worstOfList(value) : kindOfPart(value)
    if (kind === 'other') return kind
    if (kind === 'write') worst = kind
  }
  return worst
}

function worstOfList(values: readonly unknown[]): StatementKind {
  let worst: StatementKind = 'read'
  for (const value of values) {
    const kind = kindOfPart(value)
    if (kind === 'other') return kind
    if (kind === 'write') worst = kind
  }
  return worst
}

function kindOfPart(value: unknown): StatementKind {
  return isNode(value) ? kindWithin(value) : 'read'
}

function kindWithin(node: OperationNode): StatementKind {
  switch (MEANINGS[node.kind]) {
    case 'children':
      return worstOf(node, 'read')
    case 'select':
      return kinds.get(node) ?? worstOf(node, 'read') // it may have been vouched for
    case 'name': // of names alone
    case 'value': // an object that is a value is not looked into
      return 'read'
    case 'function':
      return isBuiltIn(node as FunctionNode | AggregateFunctionNode) ? worstOf(node, 'read') : 'other'
    case 'raw':
      return kinds.get(node) ?? (isHarmless(node as RawNode) ? worstOf(node, 'read') : 'other')
    case 'modifier':
      return worstOf(node, (node as SelectModifierNode).modifier === 'Distinct' ? 'read' : 'write') // FOR UPDATE, FOR SHARE
    default:
      return 'other'
  }
}

function isBuiltIn({ func }: FunctionNode | AggregateFunctionNode): boolean {
  return BUILT_IN_FUNCTIONS.has(func.toLowerCase())
}

/** Without letters nothing is called, without @ no variable set. */
const HARMLESS = /^(?:asc|desc|true|[\s\d,.+<>=%]*)$/

/** What `sql.ref()`, `sql.id()` and `sql.lit()` make, and operators between nodes; nodes side by side may be a call. */
function isHarmless({ sqlFragments }: RawNode): boolean {
  const last = sqlFragments.length - 1
  return sqlFragments.every(
    (text, place) => HARMLESS.test(text) && (place === 0 || place === last || text.trim() !== ''),
  )
}

function isNode(value: unknown): value is OperationNode {
  return typeof value === 'object' && value !== null && 'kind' in value
}
