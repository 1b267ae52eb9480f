import assert from 'node:assert/strict'
import fc from 'fast-check'
import { format, type SqlValue } from 'mysql2'
import { test } from 'vitest'
import { sizeBeyond } from '../../../db/pool/packet-size.ts'

const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('\0', "'", '\\', '\x1a', '"', 'a', '€', '\u{1F600}', '\ud800') }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(null, undefined, [1, 'a'], { a: 1 }),
)

test('a statement is too large from exactly the size that the server refuses, whatever its values are', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), (parameters) => {
      const sql = `select '€', ${parameters.map(() => '?').join(', ')}`
      const bytes = Buffer.byteLength(format(sql, parameters as SqlValue[], false, 'Z'))
      for (const [flavour, header] of [
        ['mariadb', 1],
        ['mysql', 3],
      ] as const) {
        const size = bytes + header
        assert.equal(sizeBeyond({ sql, parameters }, flavour, size), size)
        assert.equal(sizeBeyond({ sql, parameters }, flavour, size + 1), undefined)
      }
    }),
  )
})
