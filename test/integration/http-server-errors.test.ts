import assert from 'node:assert/strict'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { classifyStatementError } from '../../db/classify-error.ts'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { type Fault, serverFaults } from '../../db/server-errors.ts'
import { createCursorCodec } from '../../src/cursor.ts'
import { createTestApp, type TestApp } from './http-fixture.ts'

let service: TestApp

beforeAll(async () => {
  service = await createTestApp()
})
afterAll(() => service.close())

/** As the server's administrator, in the schema of the service. */
async function asAdmin(...statements: readonly string[]): Promise<void> {
  const connection = await createConnection(await login(service.schema.admin))
  try {
    for (const statement of statements) await connection.query(statement)
  } finally {
    await connection.end()
  }
}

const login = async ({ host, port, user, password, database }: ConnectionOptions) => ({
  host,
  port,
  user,
  password: await password(),
  database,
})

interface Problem {
  readonly title: string
  readonly detail?: string
  readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string }[]
}

async function send(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}) {
  const answer = await service.app.request(path, {
    method,
    headers: {
      Authorization: `Bearer ${service.token}`,
      'Content-Type': 'application/json',
      ...headers,
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const isProblem = answer.headers.get('Content-Type') === 'application/problem+json'
  return {
    status: answer.status,
    text,
    problem: isProblem ? (JSON.parse(text) as Problem) : undefined,
    retryAfter: answer.headers.get('Retry-After'),
  }
}

const post = (city: string, countryId = 102) => send('POST', '/cities', { city, countryId })

/** What the log says of the last error that is more than its line in the access log. */
function lastError() {
  const line = service.lines.findLast((each) => 'err' in each)
  const { errno, message } = (line?.['err'] ?? {}) as { errno?: number; message?: string }
  return { level: line?.level, errno, message }
}

/** Does `task` while the schema is as `change` makes it. */
async function whileSchema(change: readonly string[], restore: readonly string[], task: () => Promise<void>) {
  try {
    await asAdmin(...change)
    await task()
  } finally {
    await asAdmin(...restore)
  }
}

/** A schema's rights are read at login. */
async function reconnect(): Promise<void> {
  const connection = await createConnection(await login(service.schema.admin))
  const [rows] = await connection.query<RowDataPacket[]>(
    'select id from information_schema.processlist where user = ?',
    [service.schema.app.user],
  )
  for (const { id } of rows) await connection.query(`kill ${id}`).catch(() => {}) // it has ended by itself
  await connection.end()
}

describe('what the schema of its user does not allow is the request’s conflict or fault, not an outage', () => {
  test('a city that other rows name stays: 409', async () => {
    const table =
      'create table town_hall (city_id smallint unsigned not null, foreign key (city_id) references city (city_id))'
    await whileSchema([table, 'insert into town_hall values (5)'], ['drop table town_hall'], async () => {
      const { status, problem, retryAfter } = await send('DELETE', '/cities/5')
      assert.equal(status, 409)
      assert.equal(problem?.detail, 'Other rows refer to this one. Nothing was changed.')
      assert.equal(retryAfter, null)
      assert.deepEqual(lastError(), { level: 'info', errno: 1451, message: undefined })
      assert.equal((await send('GET', '/cities/5')).status, 200)
    })
  })

  test('a name that must be unique is taken: 409, and no word of ids that are used up', async () => {
    await whileSchema(
      ['alter table city add unique key one_name (city, country_id)'],
      ['alter table city drop key one_name'],
      async () => {
        assert.equal((await post('London')).status, 409)
        assert.equal(lastError().errno, 1062)
        assert.equal((await send('PATCH', '/cities/500', { city: 'London', countryId: 102 })).status, 409)
      },
    )
  })

  test('a CHECK is violated: 422', async () => {
    await whileSchema(
      ["alter table city add constraint no_xanadu check (city <> 'Xanadu')"],
      [`alter table city drop ${service.schema.flavour === 'mysql' ? 'check' : 'constraint'} no_xanadu`],
      async () => {
        const { status, problem, retryAfter } = await post('Xanadu')
        assert.equal(status, 422)
        assert.equal(problem?.detail, 'The database does not take such a value. Nothing was changed.')
        assert.equal(problem?.errors, undefined)
        assert.equal(retryAfter, null)
        assert.equal(lastError().errno, service.schema.flavour === 'mysql' ? 3819 : 4025)
        assert.equal((await send('PATCH', '/cities/312', { city: 'Xanadu' })).status, 422)
        assert.equal((await post('Shangri-La')).status, 201)
      },
    )
  })

  test('a trigger refuses, also with a number and a text of its own, which nobody is told: 422', async () => {
    await whileSchema(
      [
        `create trigger guard before update on city for each row
         signal sqlstate '45000' set mysql_errno = 31001, message_text = 'secret rule'`,
      ],
      ['drop trigger guard'],
      async () => {
        const { status, text } = await send('PATCH', '/cities/312', { city: 'Londinium' })
        assert.equal(status, 422)
        assert.doesNotMatch(text, /secret/)
        assert.equal(lastError().errno, 31001)
        assert.doesNotMatch(JSON.stringify(service.lines), /secret/)
      },
    )
  })

  test('a text is too long for a column that was made shorter: 422', async () => {
    await whileSchema(
      ['alter table city modify city varchar(40) not null'],
      ['alter table city modify city varchar(50) not null'],
      async () => {
        assert.equal((await post('x'.repeat(41))).status, 422)
        assert.equal(lastError().errno, 1406)
        assert.equal((await post('x'.repeat(40))).status, 201)
        assert.equal((await send('GET', `/?city=${'y'.repeat(41)}`)).status, 404)
      },
    )
  })

  test('another foreign key is not taken for the country’s', async () => {
    await whileSchema(
      [
        'create table region (region_id int primary key)',
        'alter table city add region_id int null default 7',
        'update city set region_id = null',
        'alter table city add constraint fk_region foreign key (region_id) references region (region_id)',
      ],
      ['alter table city drop foreign key fk_region', 'alter table city drop column region_id', 'drop table region'],
      async () => {
        const ofRegion = await post('Atlantis')
        assert.equal(ofRegion.status, 422)
        assert.equal(lastError().errno, 1452)
        assert.equal(ofRegion.problem?.errors, undefined)
        const ofCountry = await post('Atlantis', 110)
        assert.equal(ofCountry.status, 422)
        assert.deepEqual(
          ofCountry.problem?.errors?.map(({ pointer }) => pointer),
          ['/countryId'],
        )
        const change = await send('PATCH', '/cities/312', { countryId: 110 })
        assert.deepEqual(
          change.problem?.errors?.map(({ pointer }) => pointer),
          ['/countryId'],
        )
      },
    )
  })
})

describe('what a column’s character set has not', () => {
  const sets = {
    latin1: { texts: ['東京', '😀', '\u200b'], known: 'Ñandú' },
    ascii: { texts: ['東京', 'ß'], known: 'Nandu' },
    utf8mb3: { texts: ['😀'], known: '東京' },
    sjis: { texts: ['😀', 'ß'], known: '東京' },
  }
  for (const [name, { texts, known }] of Object.entries(sets)) {
    test(`${name}: is not found, beside what is, and not written`, async () => {
      const collate = 'alter table city modify city varchar(50) character set'
      // Of Sakila's names some have letters that neither ASCII nor Shift JIS has.
      const keep = 'create table kept as select city_id, city, last_update from city'
      const putBack =
        'update city join kept using (city_id) set city.city = kept.city, city.last_update = kept.last_update'
      const plain = "update city set city = 'Plain' where not city regexp '^[ -~]*$'"
      await whileSchema(
        [keep, plain, `${collate} ${name} not null`],
        [`${collate} utf8mb4 not null`, putBack, 'drop table kept'],
        async () => {
          for (const text of texts) {
            const asked = encodeURIComponent(text)
            // Often enough to be prepared; together with others, whose answer is theirs.
            for (let run = 0; run < 4; run += 1) {
              const names = ['London', text, 'Paris-on-Nowhere', 'Abha']
              const answers = await Promise.all(names.map((city) => send('GET', `/?city=${encodeURIComponent(city)}`)))
              assert.deepEqual(
                answers.map(({ text }) => text),
                [
                  'City "London" is #312',
                  `City "${text}" not found`,
                  'City "Paris-on-Nowhere" not found',
                  'City "Abha" is #2',
                ],
              )
            }
            for (const filter of [`name=${asked}`, `namePrefix=${asked}`, `name=${asked}&include=country`]) {
              const { status, text } = await send('GET', `/cities?${filter}&count=exact`)
              assert.deepEqual([status, JSON.parse(text)], [200, { items: [], next: null, count: 0 }])
            }
            assert.equal((await post(text)).status, 422)
            assert.equal((await send('PATCH', '/cities/312', { city: text })).status, 422)
          }
          // What it has is told, found, and changed as it was seen, though the column has other bytes for it.
          const { cityId } = JSON.parse((await post(known)).text) as { cityId: number }
          assert.equal((await send('GET', `/?city=${encodeURIComponent(known)}`)).text, `City "${known}" is #${cityId}`)
          const etag = (await service.app.request(`/cities/${cityId}`)).headers.get('ETag') ?? ''
          assert.equal((await send('DELETE', `/cities/${cityId}`, undefined, { 'If-Match': etag })).status, 204)
        },
      )
      // The connections have statements that were prepared for the smaller set.
      for (const text of texts) {
        const { status, text: body } = await post(text)
        assert.equal(status, 201)
        const { cityId } = JSON.parse(body) as { cityId: number }
        for (let run = 0; run < 8; run += 1) {
          assert.equal((await send('GET', `/?city=${encodeURIComponent(text)}`)).text, `City "${text}" is #${cityId}`)
          const list = await send('GET', `/cities?name=${encodeURIComponent(text)}&count=exact`)
          assert.equal((JSON.parse(list.text) as { count: number }).count, 1)
        }
        assert.equal((await send('DELETE', `/cities/${cityId}`)).status, 204)
      }
    })
  }

  test('a position with such a text is no cursor any more: 400', async () => {
    const codec = createCursorCodec({ country: 'text' })
    const cursor = (value: string) => codec.encode({ sort: 'country', position: { value, id: 1 } })
    const change = 'alter table country modify country varchar(50) character set'
    await whileSchema([`${change} latin1 not null`], [`${change} utf8mb4 not null`], async () => {
      const { status, problem } = await send('GET', `/countries?sort=country&after=${cursor('東京')}`)
      assert.equal(status, 400)
      assert.deepEqual(
        problem?.errors?.map(({ parameter }) => parameter),
        ['after'],
      )
      assert.equal((await send('GET', `/countries?name=${encodeURIComponent('東京')}`)).status, 200)
    })
  })
})

describe('what an operator must mend is 500 with a line that says what', () => {
  test('a right is missing', async () => {
    const { app, admin } = service.schema
    const grant = (change: string) =>
      change
        .replace('SCHEMA', `${admin.database}.*`)
        .replace('KEYS', `${admin.database}.idempotency_key`)
        .replace('APP', `'${app.user}'@'%'`)
    const missing = {
      DELETE: { method: 'DELETE', body: undefined },
      UPDATE: { method: 'PATCH', body: { city: 'Nowhere' } },
      SELECT: { method: 'GET', body: undefined },
    }
    for (const [right, { method, body }] of Object.entries(missing)) {
      const change = [`revoke ${right} on SCHEMA from APP`, 'grant select, update on KEYS to APP']
      const restore = ['revoke select, update on KEYS from APP', `grant ${right} on SCHEMA to APP`]
      await whileSchema(change.map(grant), restore.map(grant), async () => {
        await reconnect()
        const { status, problem, text, retryAfter } = await send(method, '/cities/7', body)
        assert.equal(status, 500, right)
        assert.equal(problem?.detail, 'The database needs its operator. Nothing was changed.')
        assert.equal(retryAfter, null)
        assert.doesNotMatch(text, /denied|stillhere/)
        const { level, errno, message } = lastError()
        assert.deepEqual([level, errno], ['error', 1142])
        assert.match(message ?? '', new RegExp(`^${right} command denied to user`))
      })
      await reconnect()
    }
  })

  test('a table or a column is missing, and is there again', async () => {
    await whileSchema(['rename table city to city_gone'], ['rename table city_gone to city'], async () => {
      for (const path of ['/?city=London', '/cities', '/cities/312', '/countries/1/cities']) {
        assert.deepEqual([path, (await send('GET', path)).status], [path, 500])
        assert.deepEqual([lastError().level, lastError().errno], ['error', 1146])
      }
      assert.equal((await post('Atlantis')).status, 500)
    })
    await whileSchema(
      ['rename table idempotency_key to key_gone'],
      ['rename table key_gone to idempotency_key'],
      async () => {
        assert.equal((await post('Atlantis')).status, 500)
        assert.deepEqual([lastError().level, lastError().errno], ['error', 1146])
        assert.equal((await send('GET', '/cities/312')).status, 200)
      },
    )
    const rename = (from: string, to: string) => `alter table city rename column ${from} to ${to}`
    await whileSchema([rename('city', 'title')], [rename('title', 'city')], async () => {
      assert.equal((await send('GET', '/?city=London')).status, 500)
      assert.equal(lastError().errno, 1054)
    })
  })

  test('a column wants a value that this service does not have, or is computed', async () => {
    await whileSchema(
      ['alter table city add mayor varchar(10) not null'],
      ['alter table city drop column mayor'],
      async () => {
        assert.equal((await post('Atlantis')).status, 500)
        assert.equal(lastError().errno, 1364)
      },
    )
    const flag = service.schema.flavour === 'mysql' ? 3105 : 1906
    const computed = 'varchar(50) generated always as (city_code) stored'
    await whileSchema(
      [
        'create table kept as select * from city',
        'alter table city add city_code varchar(50)',
        'update city set city_code = city, last_update = last_update',
        'alter table city drop column city',
        `alter table city add city ${computed}, add key idx_city (city)`,
      ],
      [
        'alter table city drop column city, drop column city_code',
        "alter table city add city varchar(50) not null default '' after city_id, add key idx_city (city)",
        'update city join kept using (city_id) set city.city = kept.city, city.last_update = kept.last_update',
        'alter table city alter column city drop default',
        'drop table kept',
      ],
      async () => {
        assert.equal((await post('Atlantis')).status, 500)
        assert.equal(lastError().errno, flag)
      },
    )
  })
})

const statusOfWrite: Readonly<Record<Fault, number>> = {
  referenced: 409,
  taken: 409,
  unfit: 422,
  incomparable: 422,
  busy: 503,
  timeLimit: 504,
  operator: 500,
}
const statusOfRead = { ...statusOfWrite, referenced: 500, taken: 500, unfit: 500, incomparable: 500 }

/** Every number of the table, and those who end a statement otherwise than by saying that it failed are asked for briefly. */
function everyFault() {
  const { flavour } = service.schema
  return Object.entries(serverFaults).flatMap(([fault, errors]) =>
    Object.keys(errors).map((errno) => {
      const error = { errno: Number(errno) }
      const isTriedAgain = classifyStatementError(error, flavour).outcome !== 'failed' || error.errno === 1205
      return { fault: fault as Fault, errno: error.errno, seconds: isTriedAgain ? 0.4 : 5 }
    }),
  )
}

const within = (seconds: number) => ({ 'Request-Timeout': String(seconds) })

function chunksOf<Item>(items: readonly Item[], size: number): readonly Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}

/** It was tried again until its time was up: whether that is told in a pause or in a statement is chance. */
function isCutOff(status: number, seconds: number): boolean {
  return status === 504 && seconds < 5
}

describe('every number of the table, said by a real server', () => {
  test('of a write', async () => {
    await whileSchema(
      [
        `create trigger guard before insert on city for each row begin
           declare number int default cast(new.city as unsigned);
           if number > 0 then signal sqlstate 'HY000' set mysql_errno = number; end if;
         end`,
      ],
      ['drop trigger guard'],
      async () => {
        const ask = async ({ errno, seconds }: { errno: number; seconds: number }) => {
          const { status, retryAfter } = await send(
            'POST',
            '/cities',
            { city: String(errno), countryId: 102 },
            within(seconds),
          )
          return isCutOff(status, seconds) ? { errno, status: 503, retryAfter: '1' } : { errno, status, retryAfter }
        }
        const found = []
        // A few at once, since many are tried again until their time is up.
        for (const faults of chunksOf(everyFault(), 4)) found.push(...(await Promise.all(faults.map(ask))))
        const expected = everyFault().map(({ errno, fault }) => ({
          errno,
          status: statusOfWrite[fault],
          retryAfter: fault === 'busy' ? '1' : null,
        }))
        assert.deepEqual(found, expected)
      },
    )
  }, 90_000)

  test('of a read, whose values are never at fault', async () => {
    await whileSchema(
      [
        'create table wanted (number int not null)',
        'insert into wanted values (0)',
        `create function fail() returns int reads sql data begin
           declare number int default (select max(wanted.number) from wanted);
           if number > 0 then signal sqlstate 'HY000' set mysql_errno = number; end if;
           return 0;
         end`,
        'rename table city to city_base',
        'create sql security definer view city as select * from city_base where fail() = 0',
      ],
      ['drop view city', 'rename table city_base to city', 'drop function fail', 'drop table wanted'],
      async () => {
        const found = []
        const expected = []
        for (const { errno, fault, seconds } of everyFault()) {
          await asAdmin(`update wanted set number = ${errno}`)
          const { status } = await send('GET', '/cities/312', undefined, within(seconds))
          found.push({ errno, status: isCutOff(status, seconds) ? 503 : status })
          expected.push({ errno, status: statusOfRead[fault] })
        }
        assert.deepEqual(found, expected)
      },
    )
  }, 90_000)

  test('a number that is not in the table is judged by its SQLSTATE’s class, else an operator’s', async () => {
    const classes = { '22999': 422, '23999': 422, '45999': 422, '40999': 503, '08999': 503, '42999': 500, HY999: 500 }
    for (const [state, expected] of Object.entries(classes)) {
      await whileSchema(
        [`create trigger guard before insert on city for each row signal sqlstate '${state}' set mysql_errno = 65000`],
        ['drop trigger guard'],
        async () => assert.equal((await post('Atlantis')).status, expected, state),
      )
    }
  })
})
