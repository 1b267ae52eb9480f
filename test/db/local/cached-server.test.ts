import assert from 'node:assert/strict'
import { test } from 'vitest'
import { cacheFolders } from '../../../db/local/cached-server.ts'

test('keeps downloads in XDG_CACHE_HOME, else below the home, and always has the checkout to fall back on', () => {
  const environment = { XDG_CACHE_HOME: '/cache', HOME: '/home/me' }
  assert.deepEqual(cacheFolders(environment, '/checkout/.local'), ['/cache/still-here', '/checkout/.local/cache'])
  assert.deepEqual(cacheFolders({ HOME: '/home/me' }, '/checkout/.local'), [
    '/home/me/.cache/still-here',
    '/checkout/.local/cache',
  ])
  assert.deepEqual(cacheFolders({}, '/checkout/.local'), ['/checkout/.local/cache'])
})

test('ignores relative cache folders, as the XDG specification asks', () => {
  assert.deepEqual(cacheFolders({ XDG_CACHE_HOME: 'cache', HOME: '/home/me' }, '/x'), [
    '/home/me/.cache/still-here',
    '/x/cache',
  ])
})
