import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Boom } from '@hapi/boom'
import { classify, ownCause } from '../disconnect.mjs'

const boom = (message, statusCode, data) => new Boom(message, { statusCode, data })
const conflict = type => ({ tag: 'conflict', attrs: { type } })
const failure = (reason, attrs = {}) => boom('Connection Failure', reason, { reason: String(reason), location: 'frc', ...attrs })
const streamError = (attrs, ...content) => ({ tag: 'stream:error', attrs, content })

/** What is injected at the server -> what Baileys says (as measured with 7.0.0-rc14) -> the closed event. */
const table = [
  ['515 after a pairing', boom('Stream Errored (restart required)', 515, { tag: 'stream:error', attrs: { code: '515' } }), 515, 'stream_error', { code: '515' }],
  ['device removed, with a code', boom('Stream Errored (conflict)', 401, conflict('device_removed')), 401, 'stream_error', { conflict: 'device_removed' }],
  ['device removed, without one', boom('Stream Errored (conflict)', 440, conflict('device_removed')), 440, 'stream_error', { conflict: 'device_removed' }],
  ['replaced', boom('Stream Errored (conflict)', 440, conflict('replaced')), 440, 'stream_error', { conflict: 'replaced' }],
  ['temporary ban', failure(402, { code: '101', expire: '2592000' }), 402, 'login_failure', { reason: '402', location: 'frc', code: '101', expire: '2592000' }],
  ...[400, 401, 403, 405, 406, 409, 411, 413, 414, 415, 418, 500, 501, 503].map(code => [`failure ${code}`, failure(code), code, 'login_failure', { reason: String(code), location: 'frc' }]),
  ['downgrade', boom('Multi-device beta not joined', 411), 411, 'login_failure', {}],
  ['stream error 503', boom('Stream Errored (unknown)', 503, { tag: 'stream:error', attrs: { code: '503' } }), 503, 'stream_error', { code: '503' }],
  ['stream error with an unknown child', boom('Stream Errored (oops)', 500, { tag: 'oops', attrs: {} }), 500, 'stream_error', { child: 'oops' }],
  ['end of stream', boom('Connection Terminated by Server', 428), 428, 'network', {}],
  ['FIN or RST', boom('Connection Terminated', 428), 428, 'network', {}],
  ['connection refused', boom('WebSocket Error (connect ECONNREFUSED 127.0.0.1:1)', 408, Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })), 408, 'network', { errno: 'ECONNREFUSED' }],
  ['TLS refused', boom('WebSocket Error (self-signed certificate)', 500, Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })), 500, 'network', { errno: 'DEPTH_ZERO_SELF_SIGNED_CERT' }],
  ['no ServerHello', boom('Timed Out', 408, { stack: 'x' }), 408, 'network', { stack: 'x' }],
  ['silence', boom('Connection was lost', 408), 408, 'network', {}],
  ['no more QRs', boom('QR refs attempts ended', 408), 408, 'pairing_expired', {}],
  ['garbage as ServerHello', new Error('index out of range: 3 + 103 > 16'), 0, 'error', {}],
  ['ended without an error', undefined, 0, 'network', {}]
]
for (const [name, error, code, reason, data] of table) {
  test(name, () => {
    const closed = classify(error)
    assert.deepEqual({ code: closed.code, reason: closed.reason, data: closed.data }, { code, reason, data })
  })
}

test('a code that no number holds is none', () => {
  for (const reason of [1e20, 2 ** 53]) assert.equal(classify(failure(reason)).code, 0)
})

test('a conflict that is not the first child is found in the stanza', () => {
  const stanza = streamError({ code: '401' }, { tag: 'text', attrs: {} }, conflict('device_removed'))
  const closed = classify(boom('Stream Errored (text)', 401, stanza.content[0]), { stanza })
  assert.equal(closed.data.conflict, 'device_removed')
  assert.equal(closed.data.code, '401')
})

test('the close code of the WebSocket is told', () => {
  assert.deepEqual(classify(boom('Connection Terminated', 428), { wsCode: 1011 }).data, { websocket: '1011' })
})

test('data holds texts only, however odd the stanza', () => {
  const stanza = streamError({ code: 7, list: ['x'], nested: {} }, Buffer.from('x'), null, { tag: 'a', attrs: undefined })
  for (const value of Object.values(classify(null, { stanza }).data)) assert.equal(typeof value, 'string')
})

test('no phone number leaves in a message or in data', () => {
  const closed = classify(boom('no session for 15551234567@s.whatsapp.net', 500, { jid: '15551234567@s.whatsapp.net' }))
  assert.doesNotMatch(JSON.stringify(closed), /15551234/)
})

test('an end of our own has no code unless it is given one', () => {
  assert.deepEqual(ownCause('closed_by_us', 'm'), { code: 0, reason: 'closed_by_us', message: 'm', data: {} })
})
