import { serveStatic } from '@hono/node-server/serve-static'
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { badRequest } from '../problem.ts'

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'] as const

// Relative addresses: the page works behind a proxy that adds a path.
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>still-here</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="ui"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`

// validatorUrl: Swagger UI would send the document to its makers' server otherwise.
const START = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#ui', validatorUrl: null, deepLinking: true })
`

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The documentation page, from swagger-ui-dist's own files: works without a network. */
export function docsRoutes({ swaggerUiFolder }: Pick<AppDeps, 'swaggerUiFolder'>) {
  const app = new OpenAPIHono<AppEnv>()
  app.use('/docs/*', rejectParameters, contentPolicy)
  app.get('/docs', (c) => c.html(PAGE))
  app.get('/docs/start.js', (c) => c.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }))
  for (const file of FILES) {
    app.get(`/docs/${file}`, serveStatic({ root: swaggerUiFolder, path: file, onFound: cacheForAnHour }))
  }
  return app
}

const rejectParameters: MiddlewareHandler = async (c, next) => {
  const errors = Object.keys(c.req.queries()).map((name) => ({
    parameter: name.slice(0, 100),
    detail: 'is not a parameter of this route',
  }))
  if (errors.length > 0) throw badRequest(errors)
  await next()
}

const contentPolicy: MiddlewareHandler = async (c, next) => {
  c.header('Content-Security-Policy', POLICY)
  await next()
}

function cacheForAnHour(_path: string, c: Context): void {
  c.header('Cache-Control', 'public, max-age=3600')
}
