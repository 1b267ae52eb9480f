import assert from 'node:assert/strict'
import { test } from 'vitest'
import { cityEtag, countryEtag, matchesEtag, statesOfIfMatch } from '../../src/etag.ts'

const london = { cityId: 312, city: 'London', countryId: 102, lastUpdate: new Date('2006-02-15T04:45:25Z') }

test("a city's tag is the SHA-256 of id, country, seconds and name, which SQL can compute too", () => {
  // printf '312|102|1139978725|London' | sha256sum
  assert.equal(cityEtag(london), '"ad0dcf77f655117813562e226b3bb9b0a171dca18805b50b4533932d11701b73"')
})

test('every column of a row changes its tag', () => {
  const others = [
    { ...london, cityId: 313 },
    { ...london, city: 'london' },
    { ...london, countryId: 20 },
    { ...london, lastUpdate: new Date('2006-02-15T04:45:26Z') },
  ]
  assert.equal(new Set([london, ...others].map(cityEtag)).size, 5)
  const country = { countryId: 1, country: 'A', lastUpdate: london.lastUpdate }
  assert.notEqual(countryEtag(country), countryEtag({ ...country, country: 'B' }))
})

const tag = '"abc"'

test('matches a list with the tag in it, weak or strong, and *', () => {
  for (const header of [
    '"abc"',
    'W/"abc"',
    '*',
    ' * ',
    '"x", "abc"',
    '"x","abc" ,W/"y"',
    ',, "abc",',
    '"a,b", "abc"',
  ]) {
    assert.equal(matchesEtag(header, tag), true, header)
  }
})

test('does not match other tags, nor what is no list of tags', () => {
  for (const header of [
    '"ab"',
    '"abcd"',
    'W/"x"',
    '"x", *',
    'abc',
    '"abc',
    'abc"',
    'w/"abc"',
    '"abc" "x"',
    '"x"abc""',
    '',
  ]) {
    assert.equal(matchesEtag(header, tag), false, header)
  }
  assert.equal(matchesEtag(undefined, tag), false)
})

test('a tag with commas and quotes around it is one tag', () => {
  assert.equal(matchesEtag('"x,"abc","', tag), false)
  assert.equal(matchesEtag('"x, abc"', '"abc"'), false)
  assert.equal(matchesEtag('"a,W/b"', '"a,W/b"'), true)
})

test('a long hostile list is judged quickly', () => {
  const startedAtMs = performance.now()
  assert.equal(matchesEtag(`${'"a",'.repeat(3000)}"`, tag), false)
  assert.equal(matchesEtag(' ,'.repeat(7000), tag), false)
  assert.equal(matchesEtag(`"a"${' '.repeat(15_000)}x`, tag), false)
  assert.ok(performance.now() - startedAtMs < 500)
})

const state = 'ad0dcf77f655117813562e226b3bb9b0a171dca18805b50b4533932d11701b73'

test('an If-Match allows the states of its strong tags, and any state when it is absent or *', () => {
  assert.equal(statesOfIfMatch(undefined), undefined)
  assert.equal(statesOfIfMatch(' * '), undefined)
  assert.deepEqual(statesOfIfMatch(`"${state}"`), [state])
  assert.deepEqual(statesOfIfMatch(`"x" , "${state}","${'0'.repeat(64)}"`), [state, '0'.repeat(64)])
})

test('an If-Match of weak tags, other texts or no list at all allows none', () => {
  const others = [
    `W/"${state}"`,
    `"${state.toUpperCase()}"`,
    state,
    '""',
    '',
    ',',
    `"${state}`,
    `"${state}" "${state}"`,
  ]
  for (const header of others) assert.deepEqual(statesOfIfMatch(header), [], header)
})
