import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { createCursorCodec } from '../../src/cursor.ts'

const codec = createCursorCodec({ cityId: 'id', city: 'text', lastUpdate: 'time' })
const encoded = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url')

test('gives back what it was made of', () => {
  const plain = { noNullPrototype: true }
  const id = fc.integer({ min: 0, max: 65_535 })
  const cursor = fc.oneof(
    fc.record({ sort: fc.constant('cityId'), position: fc.record({ value: id, id }, plain) }, plain),
    fc.record(
      {
        sort: fc.constant('city'),
        position: fc.record({ value: fc.string({ unit: 'binary', maxLength: 50 }), id }, plain),
      },
      plain,
    ),
    fc.record(
      {
        sort: fc.constant('lastUpdate'),
        position: fc.record(
          { value: fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((s) => new Date(s * 1000)), id },
          plain,
        ),
      },
      plain,
    ),
  ) as fc.Arbitrary<Parameters<typeof codec.encode>[0]>
  fc.assert(
    fc.property(cursor, (given) => {
      assert.deepEqual(codec.decode(codec.encode(given)), given)
    }),
  )
})

test('is made of the characters that a URL needs not encode', () => {
  assert.match(codec.encode({ sort: 'city', position: { value: 'ÿÿÿ>>>???', id: 1 } }), /^[\w-]+$/)
})

test('takes the largest values that the columns hold, and none beyond', () => {
  const id = 65_535
  assert.ok(codec.decode(encoded({ sort: 'cityId', value: 65_535, id })))
  assert.equal(codec.decode(encoded({ sort: 'cityId', value: 65_536, id })), undefined)
  assert.equal(codec.decode(encoded({ sort: 'cityId', value: 1, id: 65_536 })), undefined)
  assert.ok(codec.decode(encoded({ sort: 'lastUpdate', value: 4_294_967_295, id })))
  assert.equal(codec.decode(encoded({ sort: 'lastUpdate', value: 4_294_967_296, id })), undefined)
  assert.ok(codec.decode(encoded({ sort: 'city', value: '😀'.repeat(50), id, collation: 'full' })))
  assert.equal(codec.decode(encoded({ sort: 'city', value: 'a'.repeat(51), id, collation: 'full' })), undefined)
})

test('refuses what it cannot have made', () => {
  const good = { sort: 'cityId', value: 1, id: 1 }
  assert.ok(codec.decode(encoded(good)))
  const bad = [
    '',
    'garbage',
    '%00',
    `${encoded(good)}=`,
    `${encoded(good)} `,
    encoded({ ...good, sort: 'country' }),
    encoded({ ...good, sort: '__proto__' }),
    encoded({ ...good, sort: 'toString' }),
    encoded({ ...good, value: '1' }),
    encoded({ ...good, value: 1.5 }),
    encoded({ ...good, value: -1 }),
    encoded({ ...good, value: null }),
    encoded({ ...good, more: 1 }),
    encoded({ id: 1, value: 1, sort: 'cityId' }),
    encoded({ sort: 'city', value: '\ud800', id: 1 }),
    encoded({ sort: 'city', value: 1, id: 1 }),
    encoded({ sort: 'lastUpdate', value: '2006-02-15', id: 1 }),
    encoded([good]),
    encoded(null),
    Buffer.from(` ${JSON.stringify(good)}`).toString('base64url'),
  ]
  for (const text of bad) assert.equal(codec.decode(text), undefined, text)
})

test('no text makes it throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(codec.decode(text), undefined)
      assert.equal(codec.decode(Buffer.from(text).toString('base64url')), undefined)
    }),
  )
})

test('a place among names in the order of before is none any more, and every other one still is', () => {
  assert.equal(codec.decode(encoded({ sort: 'city', value: 'London', id: 312 })), undefined)
  assert.deepEqual(codec.decode(encoded({ sort: 'city', value: 'London', id: 312, collation: 'full' })), {
    sort: 'city',
    position: { value: 'London', id: 312 },
  })
  assert.equal(codec.decode(encoded({ sort: 'cityId', value: 312, id: 312, collation: 'full' })), undefined)
  assert.notEqual(codec.decode(encoded({ sort: 'cityId', value: 312, id: 312 })), undefined)
})
