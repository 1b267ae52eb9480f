import assert from 'node:assert/strict'
import { test } from 'vitest'
import { builder, statement } from '../../db/statement.ts'

interface Values {
  readonly city: string
  readonly countryId: number
}

test('a statement is what Kysely would build of the values each time, and is built once', () => {
  let builds = 0
  const update = statement((db, { city, countryId }: Values) => {
    builds += 1
    return db.updateTable('city').set({ city }).where('country_id', '=', countryId).where('city', '!=', city)
  })
  for (const { city, countryId } of [
    { city: 'London', countryId: 102 },
    { city: "' or 1 -- ?", countryId: 0 },
  ]) {
    const asKysely = builder
      .updateTable('city')
      .set({ city })
      .where('country_id', '=', countryId)
      .where('city', '!=', city)
      .compile()
    const { sql, parameters } = update({ city, countryId })
    assert.deepEqual({ sql, parameters }, { sql: asKysely.sql, parameters: asKysely.parameters })
  }
  assert.equal(builds, 1)
})
