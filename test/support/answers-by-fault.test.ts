import assert from 'node:assert/strict'
import { test } from 'vitest'
import { answersByFault, countStatuses, describeAnswers, successPercent } from './answers-by-fault.ts'
import type { RequestRecord } from './clients.ts'

function record(startMs: number, endMs: number, status = 200): RequestRecord {
  return { startMs, endMs, status, isOk: status === 200, body: '', sent: '' }
}

const faults = [
  { kind: 'frozen', fromMs: 100, untilMs: 200 },
  { kind: 'killed', fromMs: 300, untilMs: 310 },
  { kind: 'frozen', fromMs: 400, untilMs: 500 },
]

/** Under which kind one request is counted. */
function kindOf(startMs: number, endMs: number): string | undefined {
  const answers = answersByFault({ faults, reads: [record(startMs, endMs)], writes: [] })
  return answers.find(({ reads }) => reads.size > 0)?.kind
}

test('a request belongs to the fault that was active for most of its time, edges included', () => {
  assert.equal(kindOf(150, 160), 'frozen')
  assert.equal(kindOf(50, 100), 'frozen')
  assert.equal(kindOf(195, 305), 'frozen')
  assert.equal(kindOf(196, 310), 'killed')
  assert.equal(kindOf(300, 409), 'killed')
  assert.equal(kindOf(300, 411), 'frozen')
})

test('without one it belongs to the last that was: what follows is its aftermath', () => {
  assert.equal(kindOf(210, 290), 'frozen')
  assert.equal(kindOf(320, 390), 'killed')
  assert.equal(kindOf(600, 700), 'frozen')
})

test('what ended before the first fault is counted apart', () => {
  assert.equal(kindOf(50, 99), 'none yet')
})

test('kinds come with their number, those first under which most failed; reads and writes apart', () => {
  const reads = [record(150, 160), record(305, 306, 503), record(305, 306, 504), record(450, 460, 0)]
  const writes = [record(150, 160, 201), record(305, 307, 503)]
  const answers = answersByFault({ faults, reads, writes })
  assert.deepEqual(answers, [
    {
      kind: 'killed',
      times: 1,
      longestMs: 10,
      slowestMs: 2,
      reads: new Map([
        [503, 1],
        [504, 1],
      ]),
      writes: new Map([[503, 1]]),
    },
    {
      kind: 'frozen',
      times: 2,
      longestMs: 100,
      slowestMs: 10,
      reads: new Map([
        [0, 1],
        [200, 1],
      ]),
      writes: new Map([[201, 1]]),
    },
  ])
  assert.deepEqual(describeAnswers(answers), [
    'killed 1 times, up to 0.0 s: reads 2, 0.0 % (503: 1, 504: 1); writes 1, 0.0 % (503: 1); slowest 2 ms',
    'frozen 2 times, up to 0.1 s: reads 2, 50.0 % (0: 1); writes 1, 100.0 %; slowest 10 ms',
  ])
})

test('success is 200 to 299, of all requests', () => {
  const statuses = [200, 299, 300, 199, 503, 0, 201, 204]
  assert.equal(successPercent(countStatuses(statuses.map((status) => record(0, 1, status)))), 50)
  assert.equal(successPercent(countStatuses([])), 100)
})
