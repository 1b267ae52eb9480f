import express from 'express'
import { createPool } from 'mysql2/promise'
import { findById, findIdByName, httpPort, listPage, pageBody, pool, seedText } from './common.js'

const db = createPool(pool)
const app = express()

app.get('/', async (req, res) => {
  const name = req.query.city
  const [[row]] = await db.query(findIdByName, [name])
  res
    .status(row ? 200 : 404)
    .type('text/plain')
    .send(seedText(name, row))
})
app.get('/cities/:cityId', async (req, res) => {
  const [[row]] = await db.query(findById, [Number(req.params.cityId)])
  if (row) res.json(row)
  else res.status(404).json({ title: 'Not Found', status: 404 })
})
app.get('/cities', async (req, res) => {
  const limit = Number(req.query.limit)
  const [rows] = await db.query(listPage, [limit + 1])
  res.json(pageBody(rows, limit))
})
app.listen(httpPort, '127.0.0.1')
