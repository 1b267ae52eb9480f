import { type Kysely, type RawBuilder, sql } from 'kysely'

export interface InsertedRows {
  readonly table: string
  /** In the order of `rows`; the second is the name. */
  readonly columns: readonly [id: string, name: string, ...others: string[]]
  readonly rows: readonly (readonly string[])[]
  /** What else must hold of a row. Default: nothing. */
  readonly where?: RawBuilder<boolean>
}

/**
 * Takes back rows that a migration inserted: those that are to the letter as it made them. None where tables that no
 * migration made refer to this one: then it is part of a larger schema, whose rows were there before. IGNORE leaves a row
 * that is referred to from where this account cannot look.
 */
export async function deleteUnchanged(db: Kysely<never>, { table, columns, rows, where }: InsertedRows): Promise<void> {
  if (await isReferredTo(db, table)) return
  const [id, name, ...others] = columns
  // As bytes, since the collation takes a name for another one.
  const exactly = [sql.ref(id), sql`cast(${sql.ref(name)} as binary)`, ...others.map((column) => sql.ref(column))]
  const made = rows.map((values) => sql`(${sql.join(values)})`)
  await sql`
    delete ignore from ${sql.table(table)} where (${sql.join(exactly)}) in (${sql.join(made)}) and ${where ?? sql`true`}
  `.execute(db)
}

async function isReferredTo(db: Kysely<never>, table: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from information_schema.key_column_usage
    where referenced_table_schema = database() and referenced_table_name = ${table}
      and not (table_schema = database() and table_name = 'city' and ${table} = 'country') limit 1
  `.execute(db)
  return rows.length > 0
}
