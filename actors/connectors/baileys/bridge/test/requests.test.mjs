import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import '../quiet.mjs'
import { Boom } from '@hapi/boom'
import { ProtocolError } from '../errors.mjs'
import { ping, removeDevice, requestCode } from '../requests.mjs'
import { BROWSER, CODE_SYSTEM } from '../socket.mjs'

const REFUSED = 'CB:iq,type:error,error'
const ACCEPTED = 'CB:iq,type:result,link_code_companion_reg'
const refusal = code => ({ content: [{ tag: 'error', attrs: { code } }] })
const turn = () => new Promise(resolve => setImmediate(resolve))

/** A socket that shows what it is asked, and answers nothing by itself. */
function quietSocket(requestPairingCode) {
  const ws = new EventEmitter()
  return { sock: { ws, requestPairingCode, generateMessageTag: () => 'tag' }, browser: [...BROWSER] }
}

test('a code is asked for in the name of a system that WhatsApp knows, and the device keeps its own', async () => {
  let seen
  const socket = quietSocket(async () => {
    await turn()
    seen = [...socket.browser]
    return 'ABCD1234'
  })
  const code = requestCode(socket, '15551234567')
  await turn()
  socket.sock.ws.emit(ACCEPTED, {})
  assert.equal(await code, 'ABCD1234')
  assert.deepEqual(seen, [CODE_SYSTEM, 'Chrome', BROWSER[2]])
  assert.deepEqual(socket.browser, BROWSER)
  assert.deepEqual(socket.sock.ws.eventNames(), [])
})

for (const [number, code] of [['400', 'nack'], ['429', 'limit']]) {
  test(`a code that the server refuses with ${number} is not shown`, async () => {
    const socket = quietSocket(async () => 'DEADCODE')
    const answer = requestCode(socket, '15551234567')
    socket.sock.ws.emit(REFUSED, refusal(number))
    await assert.rejects(answer, { code, data: { error: Number(number) } })
    assert.deepEqual(socket.browser, BROWSER)
  })
}

test('a code whose connection ends is closed', async () => {
  const socket = quietSocket(async () => { throw new Boom('Connection Closed', { statusCode: 428 }) })
  await assert.rejects(requestCode(socket, '15551234567'), { code: 'closed' })
  assert.deepEqual(socket.sock.ws.eventNames(), [])
})

for (const [name, query, code] of [
  ['refused', async () => { throw new Boom('not allowed', { statusCode: 500, data: 405 }) }, 'nack'],
  ['not answered', async () => { throw new Boom('Timed Out', { statusCode: 408 }) }, 'ack_timeout'],
  ['not answered, told by Baileys without an error', async () => undefined, 'ack_timeout'],
  ['cut off', async () => { throw new ProtocolError('closed', 'over') }, 'closed']
]) {
  test(`a logout that is ${name}: ${code}`, async () => {
    await assert.rejects(removeDevice({ generateMessageTag: () => 'tag', query }, 'me'), { code })
  })
}

test('a logout that the server confirms', async () => {
  let asked
  await removeDevice({ generateMessageTag: () => 'tag', query: async stanza => (asked = stanza) }, '15551234567:1@s.whatsapp.net')
  assert.equal(asked.content[0].attrs.jid, '15551234567:1@s.whatsapp.net')
})

test('a ping that can not be sent is one that is not answered', async () => {
  const { sock } = quietSocket()
  const seen = []
  ping({ ...sock, sendNode: async () => { throw new Error('closed') } }, () => seen.push('answered'))
  await turn()
  assert.deepEqual(seen, [])
  sock.ws.emit('TAG:tag', {})
  assert.deepEqual(seen, ['answered'])
})
