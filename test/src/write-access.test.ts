import assert from 'node:assert/strict'
import { Hono } from 'hono'
import { test } from 'vitest'
import type { AppEnv } from '../../src/app-env.ts'
import { answerError } from '../../src/http-errors.ts'
import { requireWriteToken } from '../../src/write-access.ts'
import type { ReadTokens } from '../../src/write-tokens.ts'
import { createMemoryLog } from './memory-log.ts'

function setUp(readTokens: ReadTokens) {
  const { log, lines } = createMemoryLog()
  const app = new Hono<AppEnv>()
  app.onError((error, c) => answerError(error, c, log))
  app.get('/', requireWriteToken({ readTokens, log }), (c) => c.text('written'))
  return {
    lines,
    ask: async (token?: string) =>
      await app.request('/', token ? { headers: { Authorization: `Bearer ${token}` } } : {}),
  }
}

test('without a token set up it is 403 for everyone, and says why', async () => {
  const { ask } = setUp(() => [])
  for (const token of [undefined, 'any']) {
    const answer = await ask(token)
    assert.equal(answer.status, 403)
    assert.equal(
      ((await answer.json()) as { detail: string }).detail,
      'Nobody may write here: WRITE_TOKENS is not set.',
    )
  }
})

test('each of several tokens may write, and no part of one', async () => {
  const { ask } = setUp(() => ['first', 'second=='])
  for (const token of ['first', 'second==']) assert.equal(await (await ask(token)).text(), 'written')
  for (const token of ['firs', 'firstsecond==', 'first,second==', 'second', 'Second==']) {
    const answer = await ask(token)
    assert.equal(answer.status, 401, token)
    assert.equal(answer.headers.get('WWW-Authenticate'), 'Bearer realm="still-here", error="invalid_token"')
  }
})

test('tokens are read for each request: a rotated one is valid at once, and the old one no more', async () => {
  let tokens = ['old']
  const { ask } = setUp(() => tokens)
  assert.equal((await ask('old')).status, 200)
  tokens = ['new']
  assert.equal((await ask('old')).status, 401)
  assert.equal((await ask('new')).status, 200)
})

test('while tokens cannot be read those from before stay valid, and the log says so once each time', async () => {
  let read: ReadTokens = () => ['old']
  const { ask, lines } = setUp(() => read())
  const fail = () => {
    throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', errno: -2 })
  }
  await ask('old')
  read = fail
  assert.equal((await ask('old')).status, 200)
  assert.equal((await ask('other')).status, 401)
  assert.equal(lines.length, 1)
  assert.equal(lines[0]?.level, 'error')
  read = () => ['new']
  assert.equal((await ask('old')).status, 401)
  read = fail
  assert.equal((await ask('new')).status, 200)
  assert.equal(lines.length, 2)
})
