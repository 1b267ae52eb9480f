import assert from 'node:assert/strict'
import { test } from 'vitest'
import { describePool } from '../../bench/pool-report.ts'

/** One slice for each, all with so many calls. */
const slices = (cpuUs: readonly number[], ioCalls: number) => cpuUs.map((us) => ({ cpuUs: us, ioCalls }))

test('ratios are taken within their round, so that a machine that slows down changes none', () => {
  const rounds = [1, 2, 4, 8, 16, 32]
  const ours = { title: 'this', slices: slices(rounds, 4) }
  const plain = {
    title: 'plain',
    slices: slices(
      rounds.map((us) => us * 2),
      4,
    ),
  }
  const other = { title: 'other', slices: slices(rounds, 5) }
  assert.equal(
    describePool(ours, [plain, other]),
    `       CPU us a request  95 % interval  read and write calls   95 % interval
plain              12.0    2.0 to 64.0                 4.000  4.000 to 4.000
other               6.0    1.0 to 32.0                 5.000  5.000 to 5.000
this                6.0    1.0 to 32.0                 4.000  4.000 to 4.000

this to    CPU   95 % interval  read and write calls   95 % interval
plain    0.500  0.500 to 0.500                 1.000  1.000 to 1.000
other    1.000  1.000 to 1.000                 0.800  0.800 to 0.800`,
  )
})
