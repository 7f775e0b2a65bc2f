// The stand-alone server: its ready line, control port, and that it leaves no orphan.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { BufferJSON } from '@whiskeysockets/baileys'
import { DEFAULT_POLICY } from '../lib/accounts.mjs'
import { FAULT_KINDS, RULE_KINDS } from '../lib/faults.mjs'
import { Client, memoryAuth, within } from './client.mjs'

const SERVER = fileURLToPath(new URL('../server.mjs', import.meta.url))

async function startServer(t, ...options) {
  const process = spawn(globalThis.process.execPath, [SERVER, ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => process.kill('SIGKILL'))
  const [line] = await within(once(createInterface({ input: process.stdout }), 'line'), 'the ready line')
  return { process, ...JSON.parse(line) }
}

async function call(server, method, path, body) {
  const response = await fetch(server.control + path, { method, body: body && JSON.stringify(body) })
  return { status: response.status, body: JSON.parse(await response.text(), BufferJSON.reviver) }
}

test('a client is driven over the control port alone', async t => {
  const server = await startServer(t)
  assert.equal(server.pid, server.process.pid)
  assert.match(server.rootKey, /^[0-9a-f]{64}$/)
  const post = async (path, body) => (await call(server, 'POST', path, body)).body
  const get = async path => (await call(server, 'GET', path)).body
  const auth = memoryAuth()
  const pairing = new Client(t, { url: server.ws }, auth)
  assert.deepEqual(await post('/scan', { qr: await pairing.qr(), phone: '15553001' }), { jid: '15553001:1@s.whatsapp.net' })
  assert.equal((await pairing.closed()).output.statusCode, 515)
  const client = await new Client(t, { url: server.ws }, auth).open()
  const [login] = await get('/journal?kind=login&wait=5000')
  assert.deepEqual([login.account, login.device], ['15553001', 1])
  const { id } = await post('/deliver', { to: '15553001', from: '15559999', text: 'hello' })
  await client.received(id)
  await post('/account', { phone: '15553001', policy: { decrypt: true } })
  const sent = await client.send('15559999', 'read by the phone')
  await client.ack(sent)
  const [message] = await get('/messages?since=0')
  assert.deepEqual([message.id, message.text, message.acked], [sent, 'read by the phone', true])
  assert.deepEqual(await get(`/messages?since=${message.seq}`), [])
  const state = await get('/state')
  assert.deepEqual(state.connections.map(c => [c.name, c.state]), [['15553001:1', 'open']])
  assert.deepEqual(await post('/connect-rules', { kind: 'hang', times: 1 }), { rules: [{ kind: 'hang', times: 1 }] })
  assert.deepEqual(await post('/connect-rules', { rules: [] }), { rules: [] })
  const before = Date.now()
  const { hit, at } = await post('/fault', { target: '15553001', kind: 'stream_error', code: 503 })
  assert.deepEqual(hit, ['15553001:1'])
  assert.ok(before <= at && at <= Date.now())
  assert.equal((await client.closed()).output.statusCode, 503)
  const [fault] = await get('/journal?kind=fault,failure')
  const [closed] = await get(`/journal?kind=closed&since=${fault.seq}&wait=5000`)
  assert.deepEqual([fault.hit, closed.account], [['15553001:1'], '15553001'])
})

test('what is wrong is said: unknown route, missing field, bad number, unlistening', async t => {
  const server = await startServer(t, '--defaults', '{"deliveryMs":null}')
  assert.equal((await call(server, 'GET', '/state')).body.defaults.deliveryMs, null)
  assert.equal((await call(server, 'GET', '/nowhere')).status, 404)
  assert.deepEqual(await call(server, 'POST', '/scan', { qr: 'x' }), { status: 400, body: { error: '"phone" is missing' } })
  assert.equal((await call(server, 'GET', '/messages?since=x')).status, 400)
  assert.equal((await call(server, 'POST', '/unlink', { phone: '15553002', device: 1 })).status, 400)
  assert.equal((await call(server, 'POST', '/listen', { on: false, kill: true })).body.listening, false)
  assert.equal((await call(server, 'POST', '/listen', { on: true })).body.port, Number(new URL(server.ws).port))
  const { body: creds } = await call(server, 'POST', '/creds', { phone: '15553002' })
  await new Client(t, { url: server.ws }, memoryAuth(creds)).open()
  await call(server, 'POST', '/defaults', { decrypt: true })
  await call(server, 'POST', '/reset', { forget: true })
  const { body: state } = await call(server, 'GET', '/state')
  assert.deepEqual([state.accounts, state.defaults.decrypt, state.defaults.deliveryMs], [[], false, null])
})

test('it ends on shutdown, on SIGTERM, and with its stdin', async t => {
  const servers = await Promise.all([startServer(t), startServer(t), startServer(t, '--exit-with-stdin')])
  const ends = servers.map(({ process }) => once(process, 'exit'))
  await call(servers[0], 'POST', '/shutdown', {})
  servers[1].process.kill('SIGTERM')
  servers[2].process.stdin.end()
  for (const end of ends) assert.deepEqual(await within(end, 'the exit'), [0, null])
})

test('the README names every route, fault, rule, policy and journal kind', async t => {
  const server = await startServer(t)
  const { body: { routes } } = await call(server, 'GET', '/nowhere')
  const read = file => readFile(new URL(`../${file}`, import.meta.url), 'utf8')
  const sources = await Promise.all(['connection', 'iq', 'lab', 'messages', 'pairing'].map(name => read(`lib/${name}.mjs`)))
  const kinds = sources.join('\n').matchAll(/journal\.add\((?:error \? )?'(\w+)'(?: : '(\w+)')?/g)
  const journaled = [...kinds].flatMap(([, one, two]) => (two ? [one, two] : [one]))
  assert.ok(journaled.length > 20)
  const readme = await read('README.md')
  const words = new Set(readme.match(/`[^`\n]+`/g).flatMap(code => code.match(/\w+/g)))
  const named = [...FAULT_KINDS, ...RULE_KINDS, ...Object.keys(DEFAULT_POLICY), ...journaled]
  assert.deepEqual(named.filter(name => !words.has(name)), [])
  assert.deepEqual(routes.filter(route => !readme.includes(`\`${route}\``)), [])
})
