import type { Exchange, RequestRecord } from './clients.ts'
import type { FaultServer } from './fault-site.ts'
import { queryAsAdmin } from './server-faults.ts'

/** The token of services that are written to. */
export const WRITE_TOKEN = 'write-token'

/** POSTs cities, each of a name that nobody else writes, so that the table tells afterwards what became of each. */
export function createCityWriter(): () => Exchange {
  let count = 0
  return () => {
    count += 1
    const city = `written ${count}`
    return {
      method: 'POST',
      path: '/cities',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${WRITE_TOKEN}` },
      body: JSON.stringify({ city, countryId: 44 }),
      isOk: (status, body) => status === 201 && JSON.parse(body).city === city,
    }
  }
}

export interface WriteTally {
  readonly acknowledged: number
  /** Acknowledged, and not in the table. */
  readonly lost: number
  /** In the table more than once. */
  readonly duplicated: number
  readonly unacknowledged: number
  /** Not acknowledged, and yet in the table. */
  readonly unacknowledgedButThere: number
}

/** Compares what was answered with what is in the table. */
export async function tallyWrites(server: FaultServer, records: readonly RequestRecord[]): Promise<WriteTally> {
  const rows = await queryAsAdmin(
    server,
    `SELECT city, COUNT(*) AS n FROM ${server.account.database}.city WHERE city LIKE 'written %' GROUP BY city`,
  )
  const inTable = new Map(rows.map((row) => [String(row['city']), Number(row['n'])]))
  const acknowledged = records
    .filter(({ status }) => status === 201)
    .map(({ body }) => String((JSON.parse(body) as { city: unknown }).city))
  return {
    acknowledged: acknowledged.length,
    lost: acknowledged.filter((city) => !inTable.has(city)).length,
    duplicated: [...inTable.values()].filter((count) => count > 1).length,
    unacknowledged: records.length - acknowledged.length,
    unacknowledgedButThere: inTable.size - acknowledged.filter((city) => inTable.has(city)).length,
  }
}
