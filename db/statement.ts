import { type CompiledQuery, DummyDriver, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler } from 'kysely'
import type { DB } from './schema.ts'
import { keepKind } from './statement-kind.ts'

/** Builds and compiles, and runs nothing. */
export const builder = new Kysely<DB>({
  dialect: {
    createAdapter: () => new MysqlAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new MysqlIntrospector(db),
    createQueryCompiler: () => new MysqlQueryCompiler(),
  },
})

/** Where a value will stand. */
class Place {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/**
 * A statement that Kysely builds and compiles once, which takes as long as running it; each use only puts its values in.
 * @param build makes the same statement whatever the values are, and only passes them on
 */
export function statement<Values extends object, Row>(
  build: (db: Kysely<DB>, values: Values) => { compile(): CompiledQuery<Row> },
): (values: Values) => CompiledQuery<Row> {
  // Kysely takes any object for a value.
  const places = new Proxy({}, { get: (_, name) => new Place(String(name)) }) as Values
  const compiled = build(builder, places).compile()
  keepKind(compiled)
  return (values) => ({
    ...compiled,
    parameters: compiled.parameters.map((parameter) =>
      parameter instanceof Place ? values[parameter.name as keyof Values] : parameter,
    ),
  })
}
