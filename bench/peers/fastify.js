import mysql from '@fastify/mysql'
import Fastify from 'fastify'
import { findById, findIdByName, httpPort, listPage, pageBody, pool, seedText } from './common.js'

const app = Fastify()
await app.register(mysql, { promise: true, ...pool })

app.get('/', async (req, reply) => {
  const name = req.query.city
  const [[row]] = await app.mysql.query(findIdByName, [name])
  return reply
    .code(row ? 200 : 404)
    .type('text/plain; charset=utf-8')
    .send(seedText(name, row))
})
app.get('/cities/:cityId', async (req, reply) => {
  const [[row]] = await app.mysql.query(findById, [Number(req.params.cityId)])
  return row ?? reply.code(404).send({ title: 'Not Found', status: 404 })
})
app.get('/cities', async (req) => {
  const limit = Number(req.query.limit)
  const [rows] = await app.mysql.query(listPage, [limit + 1])
  return pageBody(rows, limit)
})
await app.listen({ port: httpPort, host: '127.0.0.1' })
