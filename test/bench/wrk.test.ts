import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseWrkOutput, wrkScript } from '../../bench/load/wrk.ts'
import { createWorkload } from '../../bench/workloads.ts'

/** As wrk 4.1.0 prints it. */
const output = (line: string) => `Running 1s test @ http://127.0.0.1:3000
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.43ms    0.91ms  20.12ms   91.20%
    Req/Sec    11.70k     1.05k   13.05k    72.73%
  12871 requests in 1.10s, 2.31MB read
Requests/sec:  11699.03
Transfer/sec:      2.10MB
${line}
`
const line = (errors: string) => `bench-result {"requests":12871,"us":1100177,"p50Us":1312,"p99Us":4870,${errors}}`
const none = '"connect":0,"read":0,"write":0,"timeout":0,"status":0'

test('figures come from the line of the script, in ms and s', () => {
  assert.deepEqual(parseWrkOutput(output(line(none))), {
    requests: 12_871,
    seconds: 1.100177,
    p50Ms: 1.312,
    p99Ms: 4.87,
    errors: 0,
    errorText: '',
  })
})

test('errors of every kind count, and are named', () => {
  const { errors, errorText } = parseWrkOutput(output(line('"connect":1,"read":2,"write":4,"timeout":8,"status":16')))
  assert.equal(errors, 31)
  assert.equal(errorText, 'connect 1, read 2, write 4, timeout 8, status 16')
})

test('an output without the line, and one without an answer, is an error that shows it', () => {
  assert.throws(() => parseWrkOutput(output('')), /wrk said nothing that can be read:\nRunning 1s test/)
  const nothing = line(none).replace('12871', '0')
  assert.throws(() => parseWrkOutput(output(nothing)), /wrk got no answer:\nRunning 1s test/)
})

test('the script walks percent-encoded names, quotes and bodies as Lua takes them', () => {
  const cities = ['A Coruña (La Coruña)', 'Sant\u00b4Andr', `Coeur d'Alene`].map((city, index) => {
    return { cityId: index + 1, city, countryId: 1, lastUpdate: '' }
  })
  const script = wrkScript(createWorkload('seed', cities))
  assert.ok(script.includes('  "/?city=A%20Coru%C3%B1a%20(La%20Coru%C3%B1a)",\n'), script)
  assert.ok(script.includes(`wrk.format("GET", path, wrk.headers, nil)`), script)
  const post = wrkScript(createWorkload('create', cities))
  assert.ok(
    post.includes(String.raw`wrk.format("POST", path, wrk.headers, "{\"city\":\"Atlantis\",\"countryId\":102}")`),
  )
  assert.ok(post.includes('wrk.headers["Content-Type"] = "application/json"\n'), post)
})

test('what Lua would read otherwise than JSON is refused', () => {
  const workload = { ...createWorkload('cities', []), paths: ['/?city=é'] }
  assert.throws(() => wrkScript(workload), { name: 'RangeError' })
})
