import assert from 'node:assert/strict'
import { test } from 'vitest'
import { mergeRecords, renderReport } from './faults-report.ts'
import { atMost, type FigureRecord, given, parseFigureRecord, serialiseFigureRecord } from './figures.ts'

function recordOf(server: string, subject: FigureRecord['subject'], failed: number, scenario = 'KILL'): FigureRecord {
  const figures = [given('reads', 100), atMost('failed reads', failed, 0), atMost('first success', Infinity, 200, 'ms')]
  return { scenario, server, subject, figures }
}

test('a whole run replaces all of its server and subject, older versions of the server included', () => {
  const [kill, fin] = [recordOf('MariaDB 10.11.1', 'service', 1), recordOf('MariaDB 10.11.1', 'service', 1, 'FIN')]
  const plain = recordOf('MariaDB 10.11.1', 'plain', 2)
  const run = [recordOf('MariaDB 10.11.2', 'service', 3)]
  assert.deepEqual(mergeRecords([kill, fin, plain], run, { isWhole: true }), [plain, ...run])
  assert.deepEqual(mergeRecords([kill, fin, plain], run, { isWhole: false }), [fin, plain, ...run])
})

test('a record survives being written and read, "never" included', () => {
  const record = recordOf('MySQL 9.7.4', 'plain', 1)
  assert.deepEqual(parseFigureRecord(serialiseFigureRecord(record)), record)
})

test('the report has a row for each figure, a column for each server and subject, and marks what is missed', () => {
  const report = renderReport([recordOf('MariaDB 10.11.2', 'plain', 2), recordOf('MariaDB 10.11.2', 'service', 0)])
  const table = report.slice(report.indexOf('| fault |'), report.indexOf('\n\n## Scenarios')).split('\n')
  assert.deepEqual(table, [
    '| fault | figure | must | still-here on MariaDB 10.11.2 | plain on MariaDB 10.11.2 |',
    '| --- | --- | --- | --- | --- |',
    '| KILL | reads |  | 100 | 100 |',
    '|  | failed reads | at most 0 | 0 | **2** |',
    '|  | first success | at most 200 ms | **never** | **never** |',
  ])
})
