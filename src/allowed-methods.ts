import type { Hono } from 'hono'
import { TrieRouter } from 'hono/router/trie-router'
import type { AppEnv } from './app-env.ts'

/** Tells which methods the routes of `app` know for a path; reads them when it is first asked. */
export function createAllowedMethods(app: Pick<Hono<AppEnv>, 'routes'>): (path: string) => readonly string[] {
  let router: TrieRouter<string> | undefined
  return (path) => {
    router ??= routerOf(app.routes)
    return [...new Set(router.match('ALL', path)[0].map(([method]) => method))]
  }
}

function routerOf(routes: Hono['routes']): TrieRouter<string> {
  const router = new TrieRouter<string>()
  for (const { method, path } of routes) {
    if (method === 'ALL') continue // middleware
    router.add('ALL', path, method)
    if (method === 'GET') router.add('ALL', path, 'HEAD') // Hono answers it with GET's route
  }
  return router
}
