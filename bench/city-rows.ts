import { readCsv } from '../migrations/data/read-csv.ts'

/** A row of `city` as the API shows it. */
export interface CityRow {
  readonly cityId: number
  readonly city: string
  readonly countryId: number
  readonly lastUpdate: string
}

/** The 600 rows that the migrations insert, by id. */
export async function readCityRows(): Promise<readonly CityRow[]> {
  const rows = await readCsv('city.csv')
  return rows.map(([cityId = '', city = '', countryId = '', lastUpdate = '']) => ({
    cityId: Number(cityId),
    city,
    countryId: Number(countryId),
    lastUpdate: `${lastUpdate.replace(' ', 'T')}.000Z`,
  }))
}
