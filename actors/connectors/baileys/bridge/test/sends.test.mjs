import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Boom } from '@hapi/boom'
import { ProtocolError } from '../errors.mjs'
import { MAX_PENDING, MAX_TEXT, Sends, recipient } from '../sends.mjs'
import { Clock } from './clock.mjs'

const TO = '15551234567'
const turn = () => new Promise(resolve => setImmediate(resolve))

/** Sends over a wire whose writes the test completes by hand. */
function wired() {
  const clock = new Clock()
  const written = new Map() // message id -> {resolve, reject, to, text}
  const told = []
  const transmit = (messageId, to, text) => new Promise((resolve, reject) => written.set(messageId, { resolve, reject, to, text }))
  const on = { sent: id => told.push(['sent', id]), ack: fields => told.push(['ack', fields]) }
  const sends = new Sends({ transmit, on, ackTimeoutMs: 1000, clock: () => 5000 + clock.now(), time: clock })
  const send = (messageId, more = {}) => sends.send({ messageId, to: TO, text: 'hello', ...more })
  return { clock, written, told, sends, send }
}

test('acknowledged when the server has answered and the keys are durable', async () => {
  const { clock, written, told, sends, send } = wired()
  const sent = send('A')
  assert.deepEqual({ to: written.get('A').to, text: written.get('A').text }, { to: `${TO}@s.whatsapp.net`, text: 'hello' })
  clock.advance(20)
  sends.acknowledged({ messageId: 'A', error: null })
  await turn()
  assert.deepEqual(told, [], 'nothing is told before the keys are durable')
  clock.advance(500)
  written.get('A').resolve()
  assert.deepEqual(await sent, { at: 5020, ms: 20 })
  assert.deepEqual(told, [['sent', 'A'], ['ack', { messageId: 'A', error: null, ms: 20 }]])
  assert.equal(clock.waiting, 0)
})

test('a refusal is a nack with its number', async () => {
  const { written, sends, send } = wired()
  const sent = send('A')
  written.get('A').resolve()
  await turn()
  sends.acknowledged({ messageId: 'A', error: 463 })
  await assert.rejects(sent, { code: 'nack', data: { error: 463 } })
})

test('without an answer it times out, and a late one is still told', async () => {
  const { clock, written, told, sends, send } = wired()
  const sent = send('A')
  written.get('A').resolve()
  await turn()
  clock.advance(1000)
  await assert.rejects(sent, { code: 'ack_timeout' })
  clock.advance(500)
  sends.acknowledged({ messageId: 'A', error: null })
  sends.acknowledged({ messageId: 'A', error: null })
  assert.deepEqual(told, [['sent', 'A'], ['ack', { messageId: 'A', error: null, ms: 1500 }]])
})

test('it may be sent again under the same id after it timed out, not before', async () => {
  const { clock, written, sends, send } = wired()
  const first = send('A')
  await assert.rejects(send('A'), { code: 'busy' })
  clock.advance(1000)
  await assert.rejects(first, { code: 'ack_timeout' })
  const again = send('A')
  written.get('A').resolve()
  await turn()
  sends.acknowledged({ messageId: 'A', error: null })
  assert.equal((await again).ms, 0)
})

test('the end of the connection ends all sends as closed, and takes no more', async () => {
  const { clock, sends, send } = wired()
  const both = [send('A'), send('B')]
  sends.close()
  for (const sent of both) await assert.rejects(sent, { code: 'closed' })
  await assert.rejects(send('C'), { code: 'not_open' })
  assert.equal(clock.waiting, 0)
})

for (const [name, error, code] of [
  ['the connection went', new Boom('Connection Closed', { statusCode: 428 }), 'closed'],
  ['a WebSocket close code', 1006, 'closed'],
  ['the keys could not be kept', new ProtocolError('vault_unavailable', 'away'), 'closed'],
  ['nobody has the number', new ProtocolError('invalid_recipient', 'nobody'), 'invalid_recipient'],
  ['it could not be encrypted', new Error('No sessions'), 'internal']
]) {
  test(`not transmitted because ${name}: ${code}`, async () => {
    const { written, told, send } = wired()
    const sent = send('A')
    written.get('A').reject(error)
    await assert.rejects(sent, { code })
    assert.deepEqual(told, [])
  })
}

test('an answer to what was not sent here is nobody\'s', () => {
  const { told, sends } = wired()
  sends.acknowledged({ messageId: 'stranger', error: null })
  assert.deepEqual(told, [])
})

test('there is a bound on what waits', async () => {
  const { sends, send } = wired()
  const waiting = Array.from({ length: MAX_PENDING }, (_, number) => send(`m${number}`))
  await assert.rejects(send('one-more'), { code: 'limit' })
  sends.close()
  await Promise.allSettled(waiting)
})

for (const [name, fields, code] of [
  ['no id', { messageId: undefined }, 'bad_request'], ['an id with a space', { messageId: 'a b' }, 'bad_request'], ['a long id', { messageId: 'x'.repeat(65) }, 'bad_request'],
  ['no text', { text: '' }, 'bad_request'], ['a number as text', { text: 7 }, 'bad_request'], ['a long text', { text: 'x'.repeat(MAX_TEXT + 1) }, 'limit'],
  ['no recipient', { to: null }, 'bad_request'], ['nobody', { to: 'nobody' }, 'invalid_recipient']
]) {
  test(`refused: ${name}`, async () => {
    const { written, send } = wired()
    await assert.rejects(send('A', fields), { code })
    assert.equal(written.size, 0)
  })
}

test('phone numbers become addresses, addresses of users and groups stay', () => {
  assert.equal(recipient('+4915112345678'), '4915112345678@s.whatsapp.net')
  for (const address of ['15551234567@s.whatsapp.net', '123456789012345@lid', '120363012345678901@g.us', '15551234567-1500000000@g.us']) assert.equal(recipient(address), address)
  for (const address of ['', '12', 'a@s.whatsapp.net', '15551234567@evil', 'status@broadcast', '1@newsletter', '15551234567:3@s.whatsapp.net', '15551234567@s.whatsapp.net\n']) {
    assert.throws(() => recipient(address), { code: 'invalid_recipient' })
  }
})
