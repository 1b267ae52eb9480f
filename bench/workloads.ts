import type { CityRow } from './city-rows.ts'

export const workloadNames = ['seed', 'city', 'cities', 'create'] as const
export type WorkloadName = (typeof workloadNames)[number]

/** What the load consists of: the requests are sent one after the other, again and again. */
export interface Workload {
  readonly name: WorkloadName
  readonly title: string
  readonly method: 'GET' | 'POST'
  /** Percent-encoded. */
  readonly paths: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export const PAGE_LIMIT = 20
/** What the service takes for writes; the other stacks do not look at it. */
export const WRITE_TOKEN = 'only-for-the-benchmark'

export function createWorkload(name: WorkloadName, cities: readonly CityRow[]): Workload {
  const get = { name, method: 'GET', headers: {} } as const
  switch (name) {
    case 'seed':
      return {
        ...get,
        title: `GET /?city= over ${cities.length} names`,
        paths: cities.map(({ city }) => seedPath(city)),
      }
    case 'city':
      return { ...get, title: 'GET /cities/{id}', paths: cities.map(({ cityId }) => `/cities/${cityId}`) }
    case 'cities':
      return { ...get, title: `GET /cities?limit=${PAGE_LIMIT}`, paths: [`/cities?limit=${PAGE_LIMIT}`] }
    case 'create':
      return {
        name,
        title: 'POST /cities',
        method: 'POST',
        paths: ['/cities'],
        headers: { Authorization: `Bearer ${WRITE_TOKEN}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ city: 'Atlantis', countryId: 102 }),
      }
  }
}

export function seedPath(name: string): string {
  return `/?city=${encodeURIComponent(name)}`
}
