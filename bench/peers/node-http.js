// No framework: prepared statements of mysql2 below node:http.
import { createServer } from 'node:http'
import { createPool } from 'mysql2/promise'
import { findById, findIdByName, httpPort, listPage, pageBody, pool, seedText } from './common.js'

const db = createPool(pool)

async function answer(req) {
  const { pathname, searchParams } = new URL(req.url, 'http://localhost')
  if (pathname === '/') {
    const name = searchParams.get('city')
    const [[row]] = await db.execute(findIdByName, [name])
    return { status: row ? 200 : 404, type: 'text/plain; charset=utf-8', body: seedText(name, row) }
  }
  const json = (status, value) => ({ status, type: 'application/json', body: JSON.stringify(value) })
  if (pathname === '/cities') {
    const limit = Number(searchParams.get('limit'))
    // As text: MySQL takes no floating-point number here, which is what a JavaScript number is sent as.
    const [rows] = await db.execute(listPage, [String(limit + 1)])
    return json(200, pageBody(rows, limit))
  }
  const [[row]] = await db.execute(findById, [Number(pathname.split('/')[2])])
  return row ? json(200, row) : json(404, { title: 'Not Found', status: 404 })
}

createServer(async (req, res) => {
  try {
    const { status, type, body } = await answer(req)
    res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body)
  } catch {
    res.writeHead(500).end()
  }
}).listen(httpPort, '127.0.0.1')
