import type { CityRow } from './city-rows.ts'
import type { RunningStack } from './stack.ts'
import { createWorkload, PAGE_LIMIT, seedPath, type WorkloadName } from './workloads.ts'

/** As many at once as the heaviest load: answers must not be mixed up when they come together. */
const AT_ONCE = 64

interface Expected {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly status: number
  /** Whether the body is right. */
  readonly matches: (text: string) => boolean
}

/** Asks for every name and every id, and for what is not there. @throws Error that lists the first wrong answers */
export async function checkAnswers(
  { stack, url }: RunningStack,
  { cities, workloads }: { readonly cities: readonly CityRow[]; readonly workloads: readonly WorkloadName[] },
): Promise<void> {
  const todo = workloads.flatMap((workload) => expectedOf(workload, cities))
  const wrong: string[] = []
  const ask = async ({ path, status, matches, ...init }: Expected) => {
    const response = await fetch(url + path, init)
    const text = await response.text()
    if (response.status !== status || !matches(text)) wrong.push(`${path}: ${response.status} ${text.slice(0, 200)}`)
  }
  // Each worker takes the next one; all share the iterator.
  const queue = todo.values()
  const worker = async () => {
    for (const expected of queue) await ask(expected)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  if (wrong.length > 0) {
    throw new Error(
      `${stack.name}: ${wrong.length} of ${todo.length} answers are wrong:\n${wrong.slice(0, 5).join('\n')}`,
    )
  }
}

function expectedOf(workload: WorkloadName, cities: readonly CityRow[]): readonly Expected[] {
  switch (workload) {
    case 'seed': {
      const lowest = new Map(cities.toReversed().map(({ city, cityId }) => [city, cityId]))
      const known = [...lowest].map(([city, id]) => text(seedPath(city), 200, `City "${city}" is #${id}`))
      return [...known, text(seedPath('Nowhere'), 404, 'City "Nowhere" not found')]
    }
    case 'city': {
      const known = cities.map((city) => json(`/cities/${city.cityId}`, (body) => isSame(body, city)))
      return [...known, { path: '/cities/59999', status: 404, matches: () => true }]
    }
    case 'cities': {
      const page = cities.slice(0, PAGE_LIMIT)
      return [json(`/cities?limit=${PAGE_LIMIT}`, (body) => isSame((body as { items: unknown }).items, page))]
    }
    case 'create': {
      const { headers, method, body = '' } = createWorkload('create', cities)
      const matches = (answer: string) => JSON.parse(answer).city === JSON.parse(body).city
      return [{ path: '/cities', method, headers, body, status: 201, matches }]
    }
  }
}

function text(path: string, status: number, body: string): Expected {
  return { path, status, matches: (found) => found === body }
}

function json(path: string, matches: (body: unknown) => boolean): Expected {
  return { path, status: 200, matches: (found) => matches(JSON.parse(found)) }
}

/** The same fields with the same values, in any order. */
function isSame(found: unknown, expected: unknown): boolean {
  return JSON.stringify(found, sortKeys) === JSON.stringify(expected, sortKeys)
}

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
