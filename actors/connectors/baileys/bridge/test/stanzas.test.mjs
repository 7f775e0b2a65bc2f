import assert from 'node:assert/strict'
import { test } from 'node:test'
import '../quiet.mjs'
import { qrLifetime, readAck, readMessage, readReceipt, readRetry } from '../stanzas.mjs'

const key = (more = {}) => ({ id: 'M1', remoteJid: '15551234567@s.whatsapp.net', fromMe: false, ...more })
const message = (content, more = {}) => readMessage({ key: key(), message: content, messageTimestamp: 1_795_370_094, ...more })

test('acknowledgements have a number or null', () => {
  assert.deepEqual(readAck({ attrs: { id: 'M1' } }), { messageId: 'M1', error: null })
  assert.deepEqual(readAck({ attrs: { id: 'M1', error: '463' } }), { messageId: 'M1', error: 463 })
  assert.deepEqual(readAck({ attrs: { id: 'M1', error: 'odd' } }), { messageId: 'M1', error: 500 })
  for (const error of ['9'.repeat(20), '-463', '0', '']) assert.deepEqual(readAck({ attrs: { id: 'M1', error } }), { messageId: 'M1', error: 500 }, error)
})

test('receipts name all messages that they are for', () => {
  const list = { tag: 'list', attrs: {}, content: [{ tag: 'item', attrs: { id: 'M2' } }, { tag: 'item', attrs: { id: 'M3' } }] }
  assert.deepEqual(readReceipt({ attrs: { id: 'M1', type: 'read' }, content: [list] }), { type: 'read', messageIds: ['M1', 'M2', 'M3'] })
  assert.deepEqual(readReceipt({ attrs: { id: 'M1' } }), { type: 'delivered', messageIds: ['M1'] })
  assert.deepEqual(readReceipt({ attrs: { id: 'M1', type: 'inactive' }, content: Buffer.from('x') }), { type: 'delivered', messageIds: ['M1'] })
})

test('receipts between our own devices, and requests to send again, are none', () => {
  for (const type of ['retry', 'sender', 'peer_msg', 'hist_sync', 'read-self', 'server-error', 'constructor']) assert.equal(readReceipt({ attrs: { id: 'M1', type } }), null)
})

test('a receipt may ask for a message again', () => {
  assert.equal(readRetry({ attrs: { id: 'M1', type: 'retry' } }), 'M1')
  for (const attrs of [{ id: 'M1' }, { id: 'M1', type: 'read' }, { type: 'retry' }]) assert.equal(readRetry({ attrs }), null)
})

test('text is found in its wrappings; what is not text has none', () => {
  const expected = { kind: 'message', messageId: 'M1', from: '15551234567@s.whatsapp.net', participant: null, timestamp: 1_795_370_094_000, text: 'hi' }
  assert.deepEqual(message({ conversation: 'hi' }), expected)
  assert.deepEqual(message({ extendedTextMessage: { text: 'hi' } }), expected)
  assert.deepEqual(message({ ephemeralMessage: { message: { conversation: 'hi' } } }), expected)
  assert.equal(message({ imageMessage: {} }).text, null)
  assert.equal(message({ conversation: 'hi' }, { messageTimestamp: { toNumber: () => 7, valueOf: () => 7 } }).timestamp, 7000)
})

test('what nobody sends who means well is told in a form that the host takes', () => {
  assert.equal(message({ conversation: 'a\uD800b' }).text, 'a\uFFFDb')
  assert.equal(message({ extendedTextMessage: { text: 'x'.repeat(70_000) } }).text.length, 65_536)
  assert.equal(message({ conversation: `${'x'.repeat(65_535)}\u{1F600}` }).text.isWellFormed(), true)
  for (const messageTimestamp of [undefined, null, NaN, 'soon', -1, 1e300, 5e11, 1.7e15]) {
    const { timestamp } = message({ conversation: 'hi' }, { messageTimestamp })
    assert.ok(Number.isSafeInteger(timestamp) && Math.abs(timestamp - Date.now()) < 60_000, `${messageTimestamp}: ${timestamp}`)
  }
  const items = Array.from({ length: 5000 }, (_, i) => ({ tag: 'item', attrs: { id: `M${i % 3000}` } }))
  const { messageIds } = readReceipt({ attrs: { id: 'M0' }, content: [{ tag: 'list', attrs: {}, content: items }] })
  assert.equal(messageIds.length, 1024)
  assert.equal(new Set(messageIds).size, 1024)
})

test('a phone number is told instead of a LID where it is known', () => {
  const from = more => message({ conversation: 'hi' }, { key: key(more) })
  assert.equal(from({ remoteJid: '9@lid', remoteJidAlt: '15551234567@s.whatsapp.net' }).from, '15551234567@s.whatsapp.net')
  assert.equal(from({ remoteJid: '9@lid' }).from, '9@lid')
  assert.equal(from({ remoteJid: '1@g.us', participant: '9@lid', participantAlt: '15@s.whatsapp.net' }).participant, '15@s.whatsapp.net')
})

test('a message that could not be decrypted is told as such', () => {
  assert.deepEqual(message(undefined, { messageStubType: 2 }), { kind: 'undecryptable', messageId: 'M1', from: '15551234567@s.whatsapp.net' })
})

for (const [name, value] of Object.entries({
  'of our own': { key: key({ fromMe: true }), message: { conversation: 'hi' } },
  'a status update': { key: key({ remoteJid: 'status@broadcast' }), message: { conversation: 'hi' } },
  'of a channel': { key: key({ remoteJid: '1@newsletter' }), message: { conversation: 'hi' } },
  'a history notification': { key: key(), message: { protocolMessage: { type: 5 } } },
  'keys only': { key: key(), message: { senderKeyDistributionMessage: {}, messageContextInfo: {} } },
  'a group event': { key: key(), messageStubType: 27, message: null },
  'without content': { key: key() },
  'without a key': {}
})) test(`no message: ${name}`, () => assert.equal(readMessage(value), null))

test('QRs live as long as there are references', () => {
  const stanza = count => ({ content: [{ tag: 'pair-device', content: Array.from({ length: count }, () => ({ tag: 'ref' })) }] })
  const ms = { first: 60_000, next: 20_000 }
  assert.equal(qrLifetime(stanza(6), ms), 160_000)
  assert.equal(qrLifetime(stanza(0), ms), 60_000)
  assert.equal(qrLifetime({ content: undefined }, ms), 60_000)
})
