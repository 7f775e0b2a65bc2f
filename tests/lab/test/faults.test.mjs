// Every fault once, with what the real client reports for it: the table that the session's causes are made from.
import assert from 'node:assert/strict'
import test from 'node:test'
import { Client, QUICK, journaled, memoryAuth, openClient, startLab } from './client.mjs'

const PHONE = '15552001'

/** name, fault, expected statusCode, and more of the error where it matters. */
const ON_AN_OPEN_CONNECTION = [
  ['stream:error 515', { kind: 'stream_error', code: 515 }, 515],
  ['stream:error 401 device_removed', { kind: 'stream_error', code: 401, child: 'conflict', childAttrs: { type: 'device_removed' } }, 401],
  ['device_removed without a code', { kind: 'stream_error', child: 'conflict', childAttrs: { type: 'device_removed' } }, 440,
    error => assert.equal(error.data.attrs.type, 'device_removed')],
  ['replaced', { kind: 'replaced' }, 440, error => assert.equal(error.data.attrs.type, 'replaced')],
  ['stream:error 503', { kind: 'stream_error', code: 503 }, 503],
  ['stream:error 500', { kind: 'stream_error', code: 500 }, 500],
  ['stream:error with an unknown child', { kind: 'stream_error', child: 'xml-not-well-formed' }, 500],
  ['stream:error <ack/>', { kind: 'stream_error', child: 'ack' }, 500],
  ['failure 403 while open', { kind: 'failure', reason: 403 }, 403],
  ['downgrade_webclient', { kind: 'downgrade' }, 411],
  ['xmlstreamend', { kind: 'xmlstreamend' }, 428],
  ['WebSocket close 1000', { kind: 'close', code: 1000 }, 428],
  ['WebSocket close 1011', { kind: 'close', code: 1011 }, 428],
  ['FIN', { kind: 'fin' }, 428],
  ['RST', { kind: 'reset' }, 428],
  ['a stanza of the test', { kind: 'node', node: { tag: 'xmlstreamend', attrs: {} } }, 428]
]

for (const [name, fault, code, check] of ON_AN_OPEN_CONNECTION) {
  test(`${name} -> ${code}`, async t => {
    const lab = await startLab(t, QUICK)
    const client = await openClient(t, lab, PHONE)
    assert.deepEqual(lab.fault({ target: PHONE, ...fault }).hit, [`${PHONE}:1`])
    const error = await client.closed()
    assert.equal(error.output.statusCode, code)
    check?.(error)
  })
}

test('a second login of the same device replaces the first -> 440', async t => {
  const lab = await startLab(t, QUICK)
  const auth = memoryAuth(lab.accounts.makeCredentials(PHONE))
  const first = await new Client(t, lab, auth).open()
  await new Client(t, lab, auth).open()
  assert.equal((await first.closed()).output.statusCode, 440)
  await journaled(lab, 'replaced', e => e.account === PHONE)
})

test('unlinked by the phone -> 401, and at the next login', async t => {
  const lab = await startLab(t, QUICK)
  const auth = memoryAuth(lab.accounts.makeCredentials(PHONE))
  const client = await new Client(t, lab, auth).open()
  const account = lab.accounts.get(PHONE)
  lab.removeDevice(account, account.devices.get(1), 'phone')
  assert.equal((await client.closed()).output.statusCode, 401)
  assert.equal((await new Client(t, lab, auth).closed()).output.statusCode, 401)
})

for (const reason of [400, 401, 402, 403, 405, 406, 409, 411, 413, 414, 415, 418, 500, 501, 503]) {
  test(`failure ${reason} at login -> ${reason}, once`, async t => {
    const lab = await startLab(t, QUICK)
    const attrs = reason === 402 ? { code: '101', expire: '86400' } : {}
    lab.configure(PHONE, { loginFailure: { reason, attrs, times: 1 } })
    const auth = memoryAuth(lab.accounts.makeCredentials(PHONE))
    const error = await new Client(t, lab, auth).closed()
    assert.equal(error.output.statusCode, reason)
    if (reason === 402) assert.deepEqual([error.data.code, error.data.expire], ['101', '86400'])
    const entry = await journaled(lab, 'login_failure')
    assert.deepEqual([entry.account, entry.device, entry.reason], [PHONE, 1, String(reason)])
    await new Client(t, lab, auth).open()
  })
}

test('an undecryptable frame rejects inside the client, which stays "open"', async t => {
  const lab = await startLab(t, QUICK)
  const client = await openClient(t, lab, PHONE)
  const [decode] = client.sock.ws.listeners('message')
  const failed = new Promise(resolve => { // unguarded, this rejection would end the process
    client.sock.ws.removeListener('message', decode)
    client.sock.ws.on('message', data => decode(data).catch(resolve))
  })
  lab.fault({ target: PHONE, kind: 'garbage' })
  assert.match((await failed).message, /authenticate data/)
  assert.equal(client.updates.some(u => u.connection === 'close'), false)
})

test('silence is noticed by the keep-alive only, 5 s after its interval -> 408', async t => {
  const lab = await startLab(t, QUICK)
  const client = await openClient(t, lab, PHONE, { keepAliveIntervalMs: 200 })
  lab.fault({ target: PHONE, kind: 'silence' })
  assert.equal((await client.closed()).output.statusCode, 408)
})

test('a half-open peer answers neither a ping nor the close of the WebSocket', async t => {
  const lab = await startLab(t, QUICK)
  const client = await openClient(t, lab, PHONE)
  lab.fault({ target: PHONE, kind: 'half_open' })
  const ping = { tag: 'iq', attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'w:p' }, content: [{ tag: 'ping', attrs: {} }] }
  await assert.rejects(client.sock.query(ping, 200), error => error.output.statusCode === 408)
  client.sock.ws.socket.close()
  await assert.rejects(client.sock.query(ping, 200), error => [408, 428].includes(error.output.statusCode))
  assert.deepEqual(lab.state().connections.map(c => [c.name, c.state, c.silent]), [[`${PHONE}:1`, 'open', true]])
  client.sock.ws.socket.terminate()
  lab.fault({ target: PHONE, kind: 'silence', on: false }) // reads again, and sees that the client is gone
  await journaled(lab, 'closed', e => e.account === PHONE)
})

test('silence that ends leaves the connection usable', async t => {
  const lab = await startLab(t, QUICK)
  const client = await openClient(t, lab, PHONE)
  await client.ack(await client.send('15559999', 'makes the session'))
  lab.fault({ target: PHONE, kind: 'silence' })
  const lost = await client.send('15559999', 'not heard')
  await journaled(lab, 'unheard', e => e.id === lost)
  lab.fault({ target: PHONE, kind: 'silence', on: false })
  await client.ack(await client.send('15559999', 'heard'))
  assert.equal(client.acks.some(a => a.attrs.id === lost), false)
})

test('deaf as a fault of one connection ends with it', async t => {
  const lab = await startLab(t, QUICK)
  const auth = memoryAuth(lab.accounts.makeCredentials(PHONE))
  const client = await new Client(t, lab, auth).open()
  lab.fault({ target: PHONE, kind: 'deaf' })
  const { id } = await lab.router.deliver({ to: PHONE, from: '15559999', text: 'x' })
  await client.ack(await client.send('15559999', 'acks go on'))
  assert.equal(client.upserts.length, 0)
  client.end()
  await (await new Client(t, lab, auth).open()).received(id)
})

/** name, rule, expected statusCode. Each allows the second attempt. */
const AT_CONNECTING = [
  ['RST during the upgrade', { kind: 'reset' }, 408],
  ['upgrade never answered', { kind: 'hang' }, 408],
  ['no ServerHello', { kind: 'hang_hello' }, 408]
]

for (const [name, rule, code] of AT_CONNECTING) {
  test(`${name} -> ${code}, then open`, async t => {
    const lab = await startLab(t, QUICK)
    lab.rules.set([{ ...rule, times: 1 }])
    const auth = memoryAuth(lab.accounts.makeCredentials(PHONE))
    const error = await new Client(t, lab, auth, { connectTimeoutMs: 300 }).closed()
    assert.equal(error.output.statusCode, code)
    await new Client(t, lab, auth).open()
    assert.deepEqual(lab.journal.select({ kinds: ['upgrade'] }).map(e => e.rule), [rule.kind, null])
  })
}

for (const status of [403, 429, 503]) {
  test(`HTTP ${status} at the upgrade: nothing is emitted but unexpected-response`, async t => {
    const lab = await startLab(t, QUICK)
    lab.rules.set([{ kind: 'http', status, headers: { 'Retry-After': '7' } }])
    const client = new Client(t, lab, memoryAuth(lab.accounts.makeCredentials(PHONE)))
    const response = await new Promise(resolve => client.sock.ws.on('unexpected-response', (_request, answer) => resolve(answer)))
    assert.deepEqual([response.statusCode, response.headers['retry-after']], [status, '7'])
    assert.equal(client.updates.some(u => u.connection === 'close'), false)
  })
}

test('a garbage ServerHello -> an error without a status code', async t => {
  const lab = await startLab(t, QUICK)
  lab.rules.set([{ kind: 'garbage' }])
  const error = await new Client(t, lab, memoryAuth(lab.accounts.makeCredentials(PHONE))).closed()
  assert.equal(error.output, undefined)
})

test('a slow ServerHello within the limit opens', async t => {
  const lab = await startLab(t, QUICK)
  lab.rules.set([{ kind: 'slow_hello', ms: 200 }])
  const start = Date.now()
  await openClient(t, lab, PHONE)
  assert.ok(Date.now() - start >= 200)
})

test('a login that is held is answered when the policy ends', async t => {
  const lab = await startLab(t, QUICK)
  lab.configure(PHONE, { policy: { holdLogin: true } })
  const client = new Client(t, lab, memoryAuth(lab.accounts.makeCredentials(PHONE)))
  await journaled(lab, 'login', e => e.account === PHONE)
  const other = await openClient(t, lab, '15552002')
  assert.equal(client.updates.some(u => u.connection === 'open'), false)
  lab.configure(PHONE, { policy: { holdLogin: false } })
  await client.open()
  await client.ack(await client.send('15559999', 'open indeed'))
  lab.setDefaults({ holdLogin: true })
  const late = new Client(t, lab, memoryAuth(lab.accounts.makeCredentials('15552003')))
  await journaled(lab, 'login', e => e.account === '15552003')
  lab.setDefaults({ holdLogin: false })
  await late.open()
  await other.ack(await other.send('15559999', 'was open all the time'))
})

test('a certificate of an unknown root opens all the same: this version of Baileys does not refuse it', async t => {
  const lab = await startLab(t, QUICK)
  lab.rules.set([{ kind: 'bad_cert' }])
  await openClient(t, lab, PHONE)
})

test('not listening -> 408 with ECONNREFUSED, then open on the same port', async t => {
  const lab = await startLab(t, QUICK)
  const auth = memoryAuth(lab.accounts.makeCredentials(PHONE))
  await lab.unlisten()
  const error = await new Client(t, lab, auth).closed()
  assert.deepEqual([error.output.statusCode, error.data.code], [408, 'ECONNREFUSED'])
  await lab.listen()
  await new Client(t, lab, auth).open()
})

test('unlisten with kill resets open connections', async t => {
  const lab = await startLab(t, QUICK)
  const client = await openClient(t, lab, PHONE)
  await lab.unlisten({ kill: true })
  assert.equal((await client.closed()).output.statusCode, 428)
})

test('misspelt kinds and policies are refused', async t => {
  const lab = await startLab(t, QUICK)
  assert.throws(() => lab.fault({ target: '*', kind: 'rst' }), /unknown fault "rst"/)
  assert.throws(() => lab.rules.set([{ kind: 'htp' }]), /unknown rule "htp"/)
  assert.throws(() => lab.configure(PHONE, { policy: { dropAcks: true } }), /unknown policy "dropAcks"/)
})
