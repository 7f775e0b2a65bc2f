// Real clients write to each other through the lab, which sees ciphertext only.
import assert from 'node:assert/strict'
import test from 'node:test'
import { Client, QUICK, journaled, memoryAuth, openClient, startLab, textOf } from './client.mjs'

const A = '15551001'
const B = '15551002'
const CONTACT = '15559999'

test('two clients write to each other, with acknowledgement, delivery and read receipts', async t => {
  const lab = await startLab(t)
  const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  const first = await a.send(B, 'hello B')
  const atB = await b.received(first)
  assert.equal(textOf(atB), 'hello B')
  assert.equal(atB.key.remoteJid, `${A}@s.whatsapp.net`)
  assert.equal((await a.ack(first)).attrs.error, undefined)
  assert.equal((await a.receipt(first)).attrs.from, `${B}:1@s.whatsapp.net`)
  await b.sock.readMessages([atB.key])
  await a.receipt(first, 'read')
  const answer = await b.send(A, 'hello A')
  assert.equal(textOf(await a.received(answer)), 'hello A')
  await b.receipt(answer)
  const again = await a.send(B, 'in the session of the answer')
  assert.equal(textOf(await b.received(again)), 'in the session of the answer')
  const records = lab.router.log.since(0)
  assert.deepEqual(records.map(({ id, text, acked, recipients }) => ({ id, text, acked, toB: recipients.includes(`${B}:1`) })), [
    { id: first, text: null, acked: true, toB: true },
    { id: answer, text: null, acked: true, toB: false },
    { id: again, text: null, acked: true, toB: true }
  ])
  await a.receipt(again)
  assert.equal(lab.accounts.get(B).devices.get(1).pending.has(`message|${again}`), false)
})

test('a recipient is found by LID as well', async t => {
  const lab = await startLab(t, QUICK)
  const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  const { key: { id } } = await a.sock.sendMessage(`${lab.accounts.get(B).lid}@lid`, { text: 'by LID' })
  const { key } = await b.received(id)
  assert.deepEqual([key.remoteJid, key.remoteJidAlt], [`${lab.accounts.get(A).lid}@lid`, `${A}@s.whatsapp.net`])
  await a.receipt(id)
})

test('many messages at once, both ways, arrive once each', async t => {
  const lab = await startLab(t, QUICK)
  const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  const numbers = Array.from({ length: 40 }, (_, n) => n)
  const sent = await Promise.all(numbers.map(async n => [await a.send(B, `to B ${n}`), await b.send(A, `to A ${n}`)]))
  for (const [toB, toA] of sent) {
    await b.received(toB)
    await a.received(toA)
    await a.receipt(toB)
    await b.receipt(toA)
  }
  const count = client => client.upserts.flatMap(u => u.messages).filter(m => !m.key.fromMe && m.message).length
  assert.deepEqual([count(a), count(b)], [40, 40])
})

test('many accounts: each writes to the next in a ring, and nobody gets what is not for them', async t => {
  const lab = await startLab(t, QUICK)
  const phones = Array.from({ length: 24 }, (_, n) => `1555400${String(n).padStart(4, '0')}`)
  const clients = await Promise.all(phones.map(phone => openClient(t, lab, phone)))
  const next = n => (n + 1) % phones.length
  const ids = await Promise.all(clients.map((client, n) => client.send(phones[next(n)], `from ${n}`)))
  await Promise.all(ids.map(async (id, n) => {
    assert.equal(textOf(await clients[next(n)].received(id)), `from ${n}`)
    await clients[n].ack(id)
    await clients[n].receipt(id)
  }))
  for (const client of clients) assert.equal(client.upserts.flatMap(u => u.messages).filter(m => !m.key.fromMe && m.message).length, 1)
  const { accounts, connections } = lab.state()
  assert.deepEqual([accounts.length, connections.length], [phones.length, phones.length])
  lab.configure(phones[0], { policy: { ackError: '463' } }) // of one account alone
  assert.equal((await clients[0].ack(await clients[0].send(phones[1], 'refused'))).attrs.error, '463')
  assert.equal((await clients[1].ack(await clients[1].send(phones[2], 'not refused'))).attrs.error, undefined)
})

test('a message for a device that is away waits for its next login', async t => {
  const lab = await startLab(t, QUICK)
  const authB = memoryAuth(lab.accounts.makeCredentials(B))
  const a = await openClient(t, lab, A)
  const b = await new Client(t, lab, authB).open()
  const before = await a.send(B, 'while here')
  await b.received(before)
  await a.receipt(before)
  b.end()
  await journaled(lab, 'closed', e => e.account === B)
  const ids = [await a.send(B, 'while away 1'), await a.send(B, 'while away 2')]
  await a.ack(ids[1])
  assert.equal(a.receipts.some(r => ids.includes(r.attrs.id)), false)
  const back = await new Client(t, lab, authB).open()
  for (const id of ids) await back.received(id)
  for (const id of ids) await a.receipt(id, 'inactive') // Baileys says so of what it reads before it is marked online
  assert.equal(lab.journal.select({ kinds: ['login'] }).at(-1).offline, 2)
})

test('what the client did not acknowledge before its connection ended comes again', async t => {
  const lab = await startLab(t, QUICK)
  const auth = memoryAuth(lab.accounts.makeCredentials(B))
  const b = await new Client(t, lab, auth).open()
  lab.fault({ target: B, kind: 'silence' }) // the server hears nothing from B, so no receipt arrives
  const { id } = await lab.router.deliver({ to: B, from: CONTACT, text: 'lost' })
  lab.fault({ target: B, kind: 'reset' })
  await b.closed()
  const back = await new Client(t, lab, auth).open()
  assert.equal(textOf(await back.received(id)), 'lost')
})

test('the other devices of the sender get a copy that names the recipient', async t => {
  const lab = await startLab(t, QUICK)
  const [a1, a2, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, A), openClient(t, lab, B)])
  const id = await a1.send(B, 'seen on both')
  await b.received(id)
  const copy = await a2.received(id)
  assert.equal(copy.key.fromMe, true)
  assert.equal(copy.key.remoteJid, `${B}@s.whatsapp.net`)
  assert.equal(textOf(copy), 'seen on both')
})

test('a device linked later gets messages as well', async t => {
  const lab = await startLab(t, QUICK)
  const [a, b1] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  await b1.received(await a.send(B, 'one device'))
  const fresh = memoryAuth()
  const pairing = new Client(t, lab, fresh)
  lab.pairing.scan(await pairing.qr(), B)
  await pairing.closed()
  const b2 = await new Client(t, lab, fresh).open()
  const id = await a.send(B, 'two devices')
  assert.equal(textOf(await b1.received(id)), 'two devices')
  assert.equal(textOf(await b2.received(id)), 'two devices')
})

test('a message that cannot be read is asked for again, and arrives', async t => {
  const lab = await startLab(t, QUICK)
  const sent = new Map()
  const a = await openClient(t, lab, A, { getMessage: async ({ id }) => sent.get(id) })
  const authB = memoryAuth(lab.accounts.makeCredentials(B))
  const b = await new Client(t, lab, authB).open()
  await a.receipt(await a.send(B, 'makes the session'))
  await b.send(A, 'and ends its pre-key messages')
  await a.until(() => a.upserts[0], 'the answer')
  b.end()
  await journaled(lab, 'closed', e => e.account === B)
  for (const id of Object.keys(authB.kinds.session)) authB.kinds.session[id] = null // B lost its newest keys
  const back = await new Client(t, lab, authB).open()
  const message = { conversation: 'for the second time' }
  const id = await a.sock.relayMessage(`${B}@s.whatsapp.net`, message, {})
  sent.set(id, message)
  assert.equal(textOf(await back.received(id)), 'for the second time')
  const types = lab.journal.select({ kinds: ['receipt'] }).filter(r => r.id === id).map(r => r.type)
  assert.equal(types[0], 'retry')
})

test('sessions start without one-time pre-keys, and a client that runs low uploads more', async t => {
  const lab = await startLab(t)
  const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  const device = lab.accounts.get(B).devices.get(1)
  device.preKeys.splice(0, device.preKeys.length)
  device.toldLow = true // as if the upload that the server asked for were under way
  const id = await a.send(B, 'no pre-key')
  await b.received(id)
  assert.equal(device.preKeys.length, 0)
  device.toldLow = false
  const other = await openClient(t, lab, '15551003')
  await b.received(await other.send(B, 'runs low'))
  await journaled(lab, 'pre_keys_low', e => e.account === B)
  await journaled(lab, 'keys_uploaded', e => e.account === B && e.preKeys > 0 && e.preKeys < 100)
})

test('a contact who has only a phone is read by the phone, receipts and answers', async t => {
  const lab = await startLab(t, { defaults: { ...QUICK.defaults, decrypt: true, readMs: 10 } })
  const a = await openClient(t, lab, A)
  const id = await a.send(CONTACT, 'to the phone')
  await a.receipt(id)
  await a.receipt(id, 'read')
  assert.equal(lab.router.log.since(0)[0].text, 'to the phone')
  const answer = await lab.router.deliver({ to: A, from: CONTACT, text: 'from the phone' })
  assert.equal(textOf(await a.received(answer.id)), 'from the phone')
  await a.ack(await a.send(CONTACT, 'ratchet turned'))
  assert.equal(lab.router.log.since(1)[0].text, 'ratchet turned')
})

test('the phone encrypts again for a client that lost its session', async t => {
  const lab = await startLab(t, QUICK)
  const auth = memoryAuth(lab.accounts.makeCredentials(A))
  const a = await new Client(t, lab, auth).open()
  await a.received((await lab.router.deliver({ to: A, from: CONTACT, text: 'makes the session' })).id)
  await a.send(CONTACT, 'and turns the ratchet')
  await a.received((await lab.router.deliver({ to: A, from: CONTACT, text: 'once more' })).id)
  a.end()
  for (const id of Object.keys(auth.kinds.session)) auth.kinds.session[id] = null
  const back = await new Client(t, lab, auth).open()
  const { id } = await lab.router.deliver({ to: A, from: CONTACT, text: 'asked for again' })
  assert.equal(textOf(await back.received(id)), 'asked for again')
})

test('deaf: sends are acknowledged, nothing comes in until the account hears again', async t => {
  const lab = await startLab(t, QUICK)
  const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  lab.configure(B, { policy: { deaf: true } })
  const id = await a.send(B, 'not heard')
  await a.ack(id)
  await b.ack(await b.send(A, 'still heard'))
  assert.equal(b.upserts.length, 0)
  lab.configure(B, { policy: { deaf: false } })
  assert.equal(textOf(await b.received(id)), 'not heard')
})

test('deaf: not even what the server itself has to tell comes in', async t => {
  const lab = await startLab(t, QUICK)
  const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  const device = lab.accounts.get(B).devices.get(1)
  device.preKeys.splice(1)
  lab.fault({ target: B, kind: 'deaf' })
  await a.ack(await a.send(B, 'takes the last pre-key'))
  assert.deepEqual([device.preKeys.length, device.toldLow ?? false], [0, false])
  assert.equal(lab.journal.select({ kinds: ['pre_keys_low'] }).length, 0)
  lab.fault({ target: B, kind: 'deaf', on: false })
  const other = await openClient(t, lab, '15551003')
  await other.ack(await other.send(B, 'and is told of'))
  await journaled(lab, 'pre_keys_low', e => e.account === B)
})

for (const error of ['463', '475', '479']) {
  test(`nack ${error} reaches the sender and nothing is delivered`, async t => {
    const lab = await startLab(t, QUICK)
    const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
    lab.configure(A, { policy: { ackError: error } })
    const id = await a.send(B, 'refused')
    assert.equal((await a.ack(id)).attrs.error, error)
    assert.equal(lab.router.log.since(0)[0].error, error)
    assert.equal(b.upserts.length, 0)
  })
}

test('acks are dropped, late, or lost while the message arrives', async t => {
  const lab = await startLab(t, QUICK)
  const [a, b] = await Promise.all([openClient(t, lab, A), openClient(t, lab, B)])
  lab.configure(A, { policy: { dropAck: true } })
  const swallowed = await a.send(B, 'swallowed')
  await journaled(lab, 'message', e => e.id === swallowed)
  lab.configure(A, { policy: { dropAck: 'forward' } })
  const unconfirmed = await a.send(B, 'unconfirmed')
  await b.received(unconfirmed)
  lab.configure(A, { policy: { dropAck: false, ackDelayMs: 100 } })
  const start = Date.now()
  await a.ack(await a.send(B, 'late'))
  assert.ok(Date.now() - start >= 95)
  assert.deepEqual(a.acks.filter(({ attrs }) => [swallowed, unconfirmed].includes(attrs.id)), [])
  assert.equal(b.upserts.flatMap(u => u.messages).some(m => m.key.id === swallowed), false)
})

test('the account is banned with its Nth message', async t => {
  const lab = await startLab(t, QUICK)
  const auth = memoryAuth(lab.accounts.makeCredentials(A))
  const a = await new Client(t, lab, auth).open()
  lab.configure(A, { policy: { banAfter: 2 } })
  await a.ack(await a.send(CONTACT, 'one'))
  await a.send(CONTACT, 'two')
  assert.equal((await a.closed()).output.statusCode, 401)
  assert.equal((await new Client(t, lab, auth).closed()).output.statusCode, 403)
})

test('a number that is not on WhatsApp is reported so', async t => {
  const lab = await startLab(t, QUICK)
  const a = await openClient(t, lab, A)
  lab.configure(CONTACT, { policy: { registered: false } })
  const found = await a.sock.onWhatsApp(CONTACT, B)
  assert.deepEqual(found.map(({ jid, exists }) => [jid, exists]), [[`${B}@s.whatsapp.net`, true]]) // Baileys leaves the others out
})

test('latency delays what the server sends', async t => {
  const lab = await startLab(t, { defaults: { ...QUICK.defaults, latencyMs: 60 } })
  const a = await openClient(t, lab, A)
  const start = Date.now()
  await a.ack(await a.send(CONTACT, 'slow'))
  assert.ok(Date.now() - start >= 60)
})
