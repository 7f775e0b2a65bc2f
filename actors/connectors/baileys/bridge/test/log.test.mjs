import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describe, masked } from '../log.mjs'

test('phone numbers lose all but their last two digits', () => {
  assert.equal(masked('no session for 15551234567:3@s.whatsapp.net'), 'no session for …67:3@s.whatsapp.net')
  assert.equal(masked('port 35123, code 463'), 'port 35123, code 463')
})

test('what is written of an error is bounded and names no folder', () => {
  const { error, at } = describe(new TypeError(`x${'y'.repeat(1000)} 15551234567`))
  assert.ok(error.length < 400)
  assert.match(at, /log\.test\.mjs:\d+/)
  assert.doesNotMatch(at, /\//)
})

test('a thrown object tells nothing of its inside', () => {
  assert.deepEqual(describe({ privateKey: 'secret' }), { error: '[object Object]' })
  assert.deepEqual(describe('15551234567'), { error: '…67' })
})
