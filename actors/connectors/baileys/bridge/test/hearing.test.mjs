import assert from 'node:assert/strict'
import { test } from 'node:test'
import '../quiet.mjs'
import { HEARD_PAUSE_MS, Hearing } from '../hearing.mjs'
import { isDelivery } from '../stanzas.mjs'
import { Clock } from './clock.mjs'

const stanza = (tag, attrs = {}) => ({ tag, attrs: { id: '1', ...attrs } })

function listening() {
  const clock = new Clock()
  const seen = { heard: 0 }
  return { clock, seen, hearing: new Hearing(() => { seen.heard++ }, clock) }
}

test('only what had to come over the delivery path is heard', () => {
  for (const tag of ['message', 'notification', 'presence', 'chatstate', 'call', 'ib']) assert.ok(isDelivery(stanza(tag)), tag)
  for (const tag of ['iq', 'ack', 'success', 'stream:error', 'xmlstreamend']) assert.ok(!isDelivery(stanza(tag)), tag)
  assert.ok(!isDelivery(Buffer.from('handshake')))
})

test('a receipt that is told of as one is not told twice', () => {
  assert.ok(!isDelivery(stanza('receipt')))
  assert.ok(!isDelivery(stanza('receipt', { type: 'read' })))
  assert.ok(isDelivery(stanza('receipt', { type: 'read-self' })))
})

test('what the login brought is told when the connection is open', () => {
  const { hearing, seen } = listening()
  hearing.take(stanza('ib'))
  hearing.take(stanza('message'))
  assert.equal(seen.heard, 0)
  hearing.open()
  assert.equal(seen.heard, 1)
})

test('a login that brought nothing proves nothing', () => {
  const { hearing, seen } = listening()
  hearing.take(stanza('iq'))
  hearing.open()
  assert.equal(seen.heard, 0)
})

test('a flood is told of once in a while', () => {
  const { clock, hearing, seen } = listening()
  hearing.open()
  for (let ms = 0; ms < 3 * HEARD_PAUSE_MS; ms += 100) {
    hearing.take(stanza('message'))
    clock.advance(100)
  }
  assert.equal(seen.heard, 3)
})
