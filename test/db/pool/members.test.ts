import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Connection } from '../../../db/pool/connection.ts'
import { type Member, type MemberState, Members } from '../../../db/pool/members.ts'

const states: Readonly<Record<MemberState['name'], MemberState>> = {
  idle: { name: 'idle' },
  validating: { name: 'validating' },
  acquired: { name: 'acquired', sinceMs: 0, deadlineAtMs: 0 },
  settling: { name: 'settling' },
  evicted: { name: 'evicted', reason: 'lost' },
}
type Name = MemberState['name']
const names = Object.keys(states) as Name[] // its own keys, which TypeScript widens

function addTo(members: Members, state: Name = 'validating'): Member {
  const connection = {} as Connection // only its identity matters here
  const member: Member = { connection, retireAtMs: 0, generation: 0, state: states.validating, retiredFor: undefined }
  members.add(member)
  if (state === 'settling') members.move(member, states.acquired)
  if (state !== 'validating') members.move(member, states[state])
  return member
}

const allowed: Readonly<Record<Name, readonly Name[]>> = {
  idle: ['acquired', 'validating', 'evicted'],
  validating: ['idle', 'acquired', 'evicted'],
  acquired: ['idle', 'acquired', 'validating', 'settling', 'evicted'],
  settling: ['idle', 'acquired', 'evicted'],
  evicted: [],
}

for (const from of names) {
  test(`from ${from} a connection goes to ${allowed[from].join(', ') || 'nowhere'} and nowhere else`, () => {
    for (const to of names) {
      const members = new Members()
      const member = addTo(members, from)
      if (allowed[from].includes(to)) {
        members.move(member, states[to])
        assert.equal(member.state.name, to)
      } else {
        assert.throws(() => members.move(member, states[to]), {
          message: `a connection went from ${from} to ${to}`,
        })
        assert.equal(member.state.name, from)
      }
    }
  })
}

test('the gauges follow every step, and the evicted are no longer there', () => {
  const members = new Members()
  const [a, b] = [addTo(members, 'idle'), addTo(members, 'acquired')]
  assert.deepEqual([members.total, members.count('idle'), members.count('acquired')], [2, 1, 1])
  members.move(a, states.acquired)
  assert.deepEqual([members.total, members.count('idle'), members.count('acquired')], [2, 0, 2])
  members.move(b, states.evicted)
  assert.deepEqual([members.total, members.count('idle'), members.count('acquired')], [1, 0, 1])
  assert.equal(members.get(b.connection), undefined)
  assert.equal(members.get(a.connection), a)
})

test('the connection used last is found first, and the longest unused is listed first', () => {
  const members = new Members()
  const [a, b, c] = [addTo(members, 'idle'), addTo(members, 'idle'), addTo(members, 'idle')]
  assert.equal(
    members.findIdle(() => true),
    c,
  )
  assert.equal(
    members.findIdle((member) => member !== c),
    b,
  )
  members.move(b, states.acquired)
  assert.deepEqual(members.idle(), [a, c])
  members.move(b, states.idle)
  assert.deepEqual(members.idle(), [a, c, b])
  assert.equal(
    members.findIdle(() => false),
    undefined,
  )
})
