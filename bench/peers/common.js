// What all peers share: where the database is, and the same statements as the service's.
const { DATABASE_URL, POOL_SIZE } = process.env
const { hostname, port, username, password, pathname } = new URL(DATABASE_URL)

export const httpPort = Number(process.env.PORT)

export const pool = {
  host: hostname,
  port: Number(port),
  user: username,
  password: decodeURIComponent(password),
  database: pathname.slice(1),
  connectionLimit: Number(POOL_SIZE),
  timezone: 'Z',
}

const columns = 'city_id as cityId, city, country_id as countryId, last_update as lastUpdate'

export const findIdByName = 'select city_id from city where city = ? order by city_id limit 1'
export const findById = `select ${columns} from city where city_id = ?`
/** One row more than the page, to learn whether there is another one. */
export const listPage = `select ${columns} from city order by city_id limit ?`

export function seedText(name, row) {
  return row ? `City "${name}" is #${row.city_id}` : `City "${name}" not found`
}

export function pageBody(rows, limit) {
  const items = rows.slice(0, limit)
  return { items, next: rows.length > limit ? String(items.at(-1).cityId) : null }
}
