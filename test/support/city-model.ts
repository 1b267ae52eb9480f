import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SeededRandom } from './random.ts'

/** Something that a client does. Which of its cities, or earlier writes, `pick` tells. */
export interface Operation {
  readonly kind: (typeof operationKinds)[number]
  readonly pick: number
  /** The `If-Match` of a change or removal. */
  readonly condition: (typeof conditions)[number]
}

export const operationKinds = ['create', 'change', 'remove', 'read', 'repeat', 'misuse'] as const
export const conditions = ['none', 'any', 'current', 'stale'] as const

/** Mostly writes of its own. */
export function randomOperation(random: SeededRandom): Operation {
  const kinds = [...operationKinds, 'create', 'create', 'change', 'change', 'remove'] as const
  const kind = kinds[random.integer(0, kinds.length - 1)] ?? 'create'
  const condition = conditions[random.integer(0, conditions.length - 1)] ?? 'none'
  return { kind, pick: random.integer(0, 1_000_000), condition }
}

interface Request {
  readonly method: string
  readonly path: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

interface Answer {
  readonly status: number
  readonly etag: string | null
  readonly isReplayed: boolean
  readonly body: string
}

/** Something that answers requests: the app of one replica. */
export interface Replica {
  readonly app: { readonly request: (path: string, init: RequestInit) => Response | Promise<Response> }
  readonly token: string
}

interface City {
  readonly cityId: number
  readonly city: string
  readonly countryId: number
}

/** How writes were answered. */
export interface WriteFigures {
  writes: number
  /** Whose first answer did not tell what is true. */
  open: number
  slowestMs: number
}

const REPEAT_FOR_MS = 25_000
const NOT_THE_TRUTH = [409, 503, 504]

/**
 * One client of the API and what it believes to be true. It has cities of its own, so that any number of clients can work at a
 * time; what is not answered with the truth it repeats with the same key, each time at the next replica. Every answer is
 * compared with the model.
 */
export class ModelClient {
  readonly figures: WriteFigures = { writes: 0, open: 0, slowestMs: 0 }
  readonly #name: string
  readonly #replicas: readonly Replica[]
  readonly #cities = new Map<number, City & { readonly etag: string }>()
  readonly #gone: number[] = []
  readonly #done: { readonly request: Request; readonly key: string; readonly answer: Answer }[] = []
  #count = 0

  constructor(name: string, replicas: readonly Replica[]) {
    this.#name = name
    this.#replicas = replicas
  }

  /** The cities that must be there. */
  get cities(): readonly City[] {
    return [...this.#cities.values()].map(({ cityId, city, countryId }) => ({ cityId, city, countryId }))
  }

  async act({ kind, pick, condition }: Operation): Promise<void> {
    switch (kind) {
      case 'create':
        return await this.#create()
      case 'change':
        return await this.#change(this.#pickId(pick), condition)
      case 'remove':
        return await this.#remove(this.#pickId(pick), condition)
      case 'read':
        return await this.#read(this.#pickId(pick))
      case 'repeat':
        return await this.#repeat(pick)
      case 'misuse':
        return await this.#misuse(pick)
    }
  }

  async #create(): Promise<void> {
    const given = this.#newFields()
    const answer = await this.#write({ method: 'POST', path: '/cities', body: given })
    assert.equal(answer.status, 201, answer.body)
    const city = JSON.parse(answer.body) as City
    assert.ok(!this.#cities.has(city.cityId) && !this.#gone.includes(city.cityId), 'a new id')
    this.#keep(city.cityId, given, answer)
  }

  async #change(cityId: number, condition: Operation['condition']): Promise<void> {
    const { city } = this.#newFields()
    const answer = await this.#write(this.#conditional('PATCH', cityId, condition, { city }))
    const known = this.#cities.get(cityId)
    if (!this.#isMet(answer, cityId, condition) || !known) return
    assert.equal(answer.status, 200, answer.body)
    this.#keep(cityId, { city, countryId: known.countryId }, answer)
  }

  async #remove(cityId: number, condition: Operation['condition']): Promise<void> {
    const answer = await this.#write(this.#conditional('DELETE', cityId, condition))
    if (!this.#isMet(answer, cityId, condition)) return
    assert.equal(answer.status, 204, answer.body)
    this.#cities.delete(cityId)
    this.#gone.push(cityId)
  }

  async #read(cityId: number): Promise<void> {
    const answer = await this.#askUntilTrue({ method: 'GET', path: `/cities/${cityId}` })
    const known = this.#cities.get(cityId)
    assert.equal(answer.status, known ? 200 : 404)
    if (!known) return
    const { etag, ...city } = known
    assert.deepEqual([fieldsOf(answer), answer.etag], [city, etag])
  }

  /** An earlier write, asked for again. */
  async #repeat(pick: number): Promise<void> {
    const earlier = this.#done[pick % this.#done.length]
    if (!earlier) return
    const answer = await this.#askUntilTrue(earlier.request, earlier.key)
    assert.deepEqual({ ...answer, isReplayed: false }, { ...earlier.answer, isReplayed: false })
    assert.equal(answer.isReplayed, true)
  }

  /** An earlier key for another write. */
  async #misuse(pick: number): Promise<void> {
    const earlier = this.#done[pick % this.#done.length]
    if (!earlier) return
    const headers = { ...earlier.request.headers, 'If-Match': '"another"' }
    const answer = await this.#askUntilTrue({ ...earlier.request, headers }, earlier.key)
    assert.equal(answer.status, 422, answer.body)
  }

  /** Whether the write must have taken effect; checks how it was refused where not. */
  #isMet(answer: Answer, cityId: number, condition: Operation['condition']): boolean {
    const isThere = this.#cities.has(cityId)
    if (isThere && condition !== 'stale') return true
    assert.equal(answer.status, isThere ? 412 : 404, answer.body)
    return false
  }

  #conditional(method: string, cityId: number, condition: Operation['condition'], body?: object): Request {
    const tags = { none: undefined, any: '*', current: this.#cities.get(cityId)?.etag, stale: `"${'0'.repeat(64)}"` }
    const tag = tags[condition]
    const headers = tag === undefined ? {} : { 'If-Match': tag }
    return { method, path: `/cities/${cityId}`, headers, ...(body && { body }) }
  }

  #newFields(): Omit<City, 'cityId'> {
    this.#count += 1
    return { city: `${this.#name} ${this.#count}`, countryId: 1 + (this.#count % 109) }
  }

  #keep(cityId: number, given: Omit<City, 'cityId'>, answer: Answer): void {
    assert.deepEqual(fieldsOf(answer), { cityId, ...given })
    assert.ok(answer.etag)
    this.#cities.set(cityId, { cityId, ...given, etag: answer.etag })
  }

  /** Of a city that is there, or was; or one that never was. */
  #pickId(pick: number): number {
    const ids = [...this.#cities.keys(), ...this.#gone.slice(-1), 64_999]
    return ids[pick % ids.length] ?? 64_999
  }

  async #write(request: Request): Promise<Answer> {
    const key = `${this.#name}-${this.#count}-${this.figures.writes}`.replaceAll(' ', '-')
    this.figures.writes += 1
    const answer = await this.#askUntilTrue(request, key, () => {
      this.figures.open += 1
    })
    if (answer.status < 300) this.#done.push({ request, key, answer })
    return answer
  }

  /** Asks, and as long as the truth cannot be told asks again, with the same key. */
  async #askUntilTrue(request: Request, key?: string, onOpen: () => void = () => {}): Promise<Answer> {
    const giveUpAtMs = performance.now() + REPEAT_FOR_MS
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.#ask(request, key, attempt)
      if (!NOT_THE_TRUTH.includes(answer.status) || performance.now() > giveUpAtMs) return answer
      if (attempt === 0) onOpen()
      await sleep(100)
    }
  }

  async #ask({ method, path, body, headers }: Request, key: string | undefined, attempt: number): Promise<Answer> {
    const replica = this.#replicas[(this.#count + attempt) % this.#replicas.length] as Replica // there is one at least
    const startedAtMs = performance.now()
    const response = await replica.app.request(path, {
      method,
      headers: {
        Authorization: `Bearer ${replica.token}`,
        'Content-Type': 'application/json',
        ...(key !== undefined && { 'Idempotency-Key': key }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const tookMs = performance.now() - startedAtMs
    this.figures.slowestMs = Math.max(this.figures.slowestMs, tookMs)
    const isReplayed = response.headers.get('Idempotency-Replayed') === 'true'
    return { status: response.status, etag: response.headers.get('ETag'), isReplayed, body: await response.text() }
  }
}

function fieldsOf({ body }: Answer): City {
  const { lastUpdate: _, ...city } = JSON.parse(body) as City & { lastUpdate: string }
  return city
}

/** All figures as those of one. */
export function sumFigures(clients: readonly ModelClient[]): WriteFigures {
  return clients.reduce(
    (sum, { figures }) => ({
      writes: sum.writes + figures.writes,
      open: sum.open + figures.open,
      slowestMs: Math.max(sum.slowestMs, figures.slowestMs),
    }),
    { writes: 0, open: 0, slowestMs: 0 },
  )
}
