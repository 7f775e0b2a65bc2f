import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import '../quiet.mjs'
import '../isolation.mjs'
import { proto } from '@whiskeysockets/baileys'
import { Arrivals, BACKLOG } from '../arrivals.mjs'

const ME = { id: '15550001:1@s.whatsapp.net', lid: '9001:1@lid' }
const CONTACT = '15550002@s.whatsapp.net'
const turn = () => new Promise(resolve => setImmediate(resolve))
let told
let notes
let wanted
let steps
let arrivals

beforeEach(() => {
  [told, notes, wanted, steps] = [[], new Set(), [], []]
  const tell = kind => (fields, stored) => {
    told.push({ kind, ...fields, stored })
    return () => steps.push(`forgot ${fields.messageId}`)
  }
  const keystore = { creds: { me: ME }, hasArrived: note => notes.has(note) }
  arrivals = new Arrivals(keystore, { message: tell('message'), receipt: tell('receipt'), wanted: messageId => new Promise((resolve, reject) => wanted.push({ messageId, resolve, reject })), backlog: () => steps.push('backlog') })
})

/** A decryption to `content`, and what becomes of its keys. */
const decryption = content => async () => {
  steps.push('decrypted')
  const value = Buffer.concat([proto.Message.encode(content).finish(), Buffer.from([1])])
  return {
    value,
    finish: async note => {
      steps.push('committed')
      if (note) notes.add(note)
      return value
    },
    abandon: () => steps.push('abandoned')
  }
}
const stanza = (id, attrs = {}) => ({ tag: 'message', attrs: { id, from: CONTACT, t: '1700000000', type: 'text', ...attrs }, content: [{ tag: 'enc', attrs: { type: 'msg' }, content: new Uint8Array([id.length]) }] })
/** What Baileys does: decrypts, then sends the receipt. */
const handled = (node, content = { conversation: 'hello' }) => arrivals.message(node, async () => {
  const plaintext = await arrivals.decrypt(node.content[0].content, decryption(content))
  steps.push(plaintext.length > 1 ? 'receipt' : 'receipt for nothing')
})

test('a message is told, stored, its keys committed, then acknowledged', async () => {
  const handling = handled(stanza('A', { offline: '1' }))
  await turn()
  assert.deepEqual(steps, ['decrypted'])
  const [{ stored, ...event }] = told
  assert.deepEqual(event, { kind: 'message', messageId: 'A', from: CONTACT, participant: null, timestamp: 1_700_000_000_000, text: 'hello', offline: true })
  stored()
  await handling
  assert.deepEqual(steps, ['decrypted', 'committed', 'receipt'])
})

test('one that Baileys can not read settles its keys, and the next goes on', async () => {
  for (const content of [{ reactionMessage: { text: '!' } }, { pollUpdateMessage: {} }]) {
    steps = []
    await handled(stanza('R'), content)
    assert.deepEqual(steps, ['decrypted', 'committed', 'receipt'])
  }
  const handling = handled(stanza('A'))
  await turn()
  told[0].stored()
  await handling
  assert.equal(steps.at(-1), 'receipt')
})

test('one that comes again after its commit is acknowledged and nothing else', async () => {
  const handling = handled(stanza('A'))
  await turn()
  told[0].stored()
  await handling
  steps = []
  await handled(stanza('A'))
  assert.deepEqual(steps, ['receipt for nothing'])
  assert.equal(told.length, 1)
  assert.equal(arrivals.isTold({ remoteJid: CONTACT, id: 'A' }), true)
  assert.equal(arrivals.isTold({ remoteJid: CONTACT, id: 'B' }), false)
  assert.equal(arrivals.isTold({ remoteJid: '15550003@s.whatsapp.net', id: 'A' }), false)
})

test('what tells the operator nothing waits for nobody', async () => {
  await handled(stanza('A'), { protocolMessage: { type: proto.Message.ProtocolMessage.Type.APP_STATE_SYNC_KEY_SHARE } })
  await handled(stanza('B', { from: ME.id, recipient: CONTACT }), { deviceSentMessage: { destinationJid: CONTACT, message: { conversation: 'ours' } } })
  assert.deepEqual(told, [])
  assert.deepEqual(steps, ['decrypted', 'committed', 'receipt', 'decrypted', 'committed', 'receipt'])
})

test('what the phone sends on is stored before its message is acknowledged', async () => {
  const { Message, WebMessageInfo } = proto
  const info = { key: { remoteJid: CONTACT, id: 'P' }, messageTimestamp: 1_700_000_001, message: { conversation: 'found again' } }
  const webMessageInfoBytes = WebMessageInfo.encode(info).finish()
  const peerDataOperationRequestResponseMessage = { peerDataOperationResult: [{ placeholderMessageResendResponse: { webMessageInfoBytes } }, {}] }
  const protocolMessage = { type: Message.ProtocolMessage.Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE, peerDataOperationRequestResponseMessage }
  const handling = handled(stanza('R', { from: '15550001@s.whatsapp.net', category: 'peer' }), { protocolMessage })
  await turn()
  assert.deepEqual(steps, ['decrypted'])
  const [{ stored, ...event }] = told
  assert.deepEqual(event, { kind: 'message', messageId: 'P', from: CONTACT, participant: null, timestamp: 1_700_000_001_000, text: 'found again', offline: false })
  stored()
  await handling
  assert.deepEqual(steps, ['decrypted', 'committed', 'receipt'])
  assert.equal(arrivals.isTold(info.key), true, 'Baileys tells of it now')
  assert.equal(told.length, 1)
})

test('what somebody else claims to send on is nothing', async () => {
  const webMessageInfoBytes = proto.WebMessageInfo.encode({ key: { remoteJid: CONTACT, id: 'P' }, message: { conversation: 'forged' } }).finish()
  const protocolMessage = { peerDataOperationRequestResponseMessage: { peerDataOperationResult: [{ placeholderMessageResendResponse: { webMessageInfoBytes } }] } }
  await handled(stanza('R'), { protocolMessage })
  assert.deepEqual([told, steps], [[], ['decrypted', 'committed', 'receipt']])
})

test('when the connection ends first nothing is committed or acknowledged', async () => {
  const handling = handled(stanza('A'))
  await turn()
  arrivals.close()
  await assert.rejects(handling, { code: 'closed' })
  assert.deepEqual(steps, ['decrypted', 'forgot A', 'abandoned'])
  await assert.rejects(handled(stanza('B')), { code: 'closed' })
  assert.equal(told.length, 1)
})

test('a receipt is handled, and so acknowledged, when all that it tells is stored', async () => {
  const handling = arrivals.receipt({ told: { type: 'read', messageIds: ['A', 'B'] }, wanted: null }, async () => steps.push('acknowledged'))
  told[0].stored()
  await turn()
  assert.deepEqual(steps, [])
  told[1].stored()
  await handling
  assert.deepEqual(steps, ['acknowledged'])
  await arrivals.receipt({ told: null, wanted: null }, async () => steps.push('ours')) // between our own devices
  assert.deepEqual(steps, ['acknowledged', 'ours'])
})

test('what is asked for again is handled when its text is there, and not acknowledged when nobody says', async () => {
  const handling = arrivals.receipt({ told: null, wanted: 'A' }, async () => steps.push('sent again'))
  await turn()
  assert.deepEqual(steps, [])
  wanted[0].resolve()
  await handling
  assert.deepEqual(steps, ['sent again'])
  const unanswered = arrivals.receipt({ told: null, wanted: 'B' }, async () => steps.push('acknowledged'))
  wanted[1].reject(new Error('silence'))
  await assert.rejects(unanswered, { message: 'silence' })
  assert.deepEqual(steps, ['sent again'])
})

test('more than can be kept ends the connection', async () => {
  const all = Array.from({ length: BACKLOG + 1 }, (_, number) => arrivals.receipt({ told: { type: 'read', messageIds: [`${number}`] }, wanted: null }, async () => {}))
  await turn()
  assert.deepEqual(steps, ['backlog'])
  arrivals.close()
  assert.ok((await Promise.allSettled(all)).every(({ reason }) => reason.code === 'closed'))
})
