import { type Kysely, type RawBuilder, sql } from 'kysely'

/** A column of text, as it stands. */
interface TextColumn {
  readonly type: string
  readonly collation: string
  readonly tableCollation: string
  readonly isNullable: string
  readonly defaultValue: string | null
  readonly comment: string
  readonly extra: string
  readonly expression: string | null
  readonly version: string
}

/**
 * Gives a column the server's collation with full weights, under which each emoji equals itself alone. One ALTER, none
 * where it has it already. MariaDB rebuilds the column's index beside reads and writes; MySQL, whose default it is, copies
 * the table of a schema with another default, while writes wait.
 */
export async function collateFully(db: Kysely<never>, table: string, column: string): Promise<void> {
  const found = await readColumn(db, table, column)
  await collate(db, {
    table,
    column,
    found,
    collation: isMariaDb(found) ? 'utf8mb4_uca1400_ai_ci' : 'utf8mb4_0900_ai_ci',
  })
}

/** Gives the column its table's collation back. One in another character set may not have all its characters, and stays away. */
export async function collateAsTable(db: Kysely<never>, table: string, column: string): Promise<void> {
  const found = await readColumn(db, table, column)
  if (!found.tableCollation.startsWith('utf8mb4_')) return
  await collate(db, { table, column, found, collation: found.tableCollation })
}

async function readColumn(db: Kysely<never>, table: string, column: string): Promise<TextColumn> {
  const { rows } = await sql<TextColumn>`
    select c.column_type as type, c.collation_name as collation, t.table_collation as tableCollation,
      c.is_nullable as isNullable, c.column_default as defaultValue, c.column_comment as comment, c.extra as extra,
      c.generation_expression as expression, version() as version
    from information_schema.columns c
    join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
    where c.table_schema = database() and c.table_name = ${table} and c.column_name = ${column}
  `.execute(db)
  const [found] = rows
  if (!found) throw new Error(`there is no column ${table}.${column}`)
  return found
}

interface Change {
  readonly table: string
  readonly column: string
  readonly found: TextColumn
  readonly collation: string
}

/** Restates the rest of the column's definition, which MODIFY would drop: it may be its user's. */
async function collate(db: Kysely<never>, { table, column, found, collation }: Change): Promise<void> {
  if (found.collation === collation) return
  // MODIFY would make a plain column of it.
  if (found.expression) throw new Error(`${table}.${column} is computed: give it the collation ${collation} by hand`)
  await sql`
    alter table ${sql.table(table)} modify ${sql.ref(column)} ${sql.raw(found.type)}
    character set utf8mb4 collate ${sql.raw(collation)} ${sql.raw(found.isNullable === 'YES' ? 'null' : 'not null')}
    ${defaultOf(found)} comment ${sql.lit(found.comment)}
  `.execute(db)
}

/** MariaDB writes a default as SQL, MySQL as its value unless it is an expression. */
function defaultOf(found: TextColumn): RawBuilder<unknown> {
  const { defaultValue, extra } = found
  if (defaultValue === null) return sql``
  if (isMariaDb(found)) return sql`default ${sql.raw(defaultValue)}`
  return /DEFAULT_GENERATED/i.test(extra)
    ? sql`default (${sql.raw(defaultValue)})`
    : sql`default ${sql.lit(defaultValue)}`
}

function isMariaDb({ version }: TextColumn): boolean {
  return /mariadb/i.test(version)
}
