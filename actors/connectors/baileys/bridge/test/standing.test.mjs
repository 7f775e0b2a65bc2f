import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCap, readTimelock, restriction } from '../standing.mjs'

test('a time lock has an end, as far as it is told', () => {
  assert.deepEqual(readTimelock({ isActive: true, timeEnforcementEnds: new Date(5000) }), { active: true, until: 5000 })
  assert.deepEqual(readTimelock({ isActive: true }), { active: true, until: null })
  assert.deepEqual(readTimelock({ isActive: true, timeEnforcementEnds: new Date(Number.NaN) }), { active: true, until: null })
  assert.deepEqual(readTimelock({ isActive: false, timeEnforcementEnds: new Date(5000) }), { active: false, until: null })
  assert.deepEqual(readTimelock({}), { active: false, until: null })
})

test('the end of a time lock is one, in whichever unit the server told it', () => {
  const read = told => readTimelock({ isActive: true, timeEnforcementEnds: new Date(Number.parseInt(told, 10) * 1000) }) // as Baileys does
  assert.equal(read('1795370094').until, 1_795_370_094_000)
  assert.equal(read('1795370094000').until, 1_795_370_094_000)
  for (const told of ['1795370094000000', '999999999999', '9'.repeat(30)]) assert.equal(read(told).until, null, told)
})

test('the end of a cap is one, in whichever unit the server told it', () => {
  const read = told => readCap({ capping_status: 'CAPPED', cycle_end_timestamp: told })
  assert.equal(read('1795370094').until, 1_795_370_094_000)
  assert.equal(read('1795370094000').until, 1_795_370_094_000)
  for (const told of ['1795370094000000', '999999999999', '9'.repeat(30), '-1', '0x', {}]) assert.deepEqual(read(told), { used: null, total: null, capped: true, until: null }, String(told))
})

test('a cap is reached by its status or by its count', () => {
  assert.deepEqual(readCap({ total_quota: 10, used_quota: 3, cycle_end_timestamp: '60' }), { used: 3, total: 10, capped: false, until: 60_000 })
  assert.equal(readCap({ total_quota: '10', used_quota: '10' }).capped, true)
  assert.deepEqual(readCap({ capping_status: 'CAPPED' }), { used: null, total: null, capped: true, until: null })
  assert.equal(readCap({ total_quota: 0, used_quota: 0 }).capped, false)
  for (const nothing of [{}, null, undefined, { total_quota: 'x' }]) assert.equal(readCap(nothing), null)
})

test('what restricts the account does so until it ends', () => {
  const timelock = { active: true, until: 100 }
  const cap = { capped: true, until: 200 }
  assert.deepEqual(restriction({ timelock, cap }, 50), { why: 'timelock', until: 100 })
  assert.deepEqual(restriction({ timelock, cap }, 150), { why: 'message_cap', until: 200 })
  assert.equal(restriction({ timelock, cap }, 200), null)
  assert.deepEqual(restriction({ timelock: { active: true, until: null } }, 1e15), { why: 'timelock', until: null })
  assert.equal(restriction({ timelock: { active: false, until: null }, cap: { capped: false, until: null } }, 0), null)
  assert.equal(restriction({}, 0), null)
})
