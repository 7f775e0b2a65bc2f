import assert from 'node:assert/strict'
import { test } from 'node:test'
import { moment, whole } from '../numbers.mjs'

const ABSURD = ['1e400', Infinity, 2 ** 53, '9007199254740993', -1, 1.5, NaN, 'soon', null, undefined, {}]

test('a whole number is one that arrives as it was', () => {
  for (const [value, number] of [[0, 0], ['463', 463], [2 ** 53 - 1, 2 ** 53 - 1]]) assert.equal(whole(value), number)
  for (const value of ABSURD) assert.equal(whole(value), null, String(value))
})

test('a time is in seconds, or in milliseconds when it can be no seconds', () => {
  assert.equal(moment('1795370094'), 1_795_370_094_000)
  assert.equal(moment('1795370094000'), 1_795_370_094_000)
  assert.equal(moment('60'), 60_000)
  assert.equal(moment(253_402_300_799), 253_402_300_799_000)
})

test('what is no time in either unit is none', () => {
  for (const value of [...ABSURD, '1795370094000000', '1795370094000000000', 253_402_300_800, 253_402_300_800_000]) assert.equal(moment(value), null, String(value))
})
