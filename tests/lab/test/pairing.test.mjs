// A real client pairs, restarts after 515, logs in, and logs out.
import assert from 'node:assert/strict'
import test from 'node:test'
import { Client, journaled, memoryAuth, startLab } from './client.mjs'

/** Log in with what the pairing left behind, and see that the initial history does not hold events back. */
async function assertPaired(t, lab, auth, phone) {
  const client = await new Client(t, lab, auth).open()
  assert.equal(auth.creds.me.id, `${phone}:1@s.whatsapp.net`)
  const login = await journaled(lab, 'login', e => e.account === phone)
  assert.equal(login.device, 1)
  const { id } = await lab.router.deliver({ to: phone, from: '15559999', text: 'welcome' })
  await client.received(id)
  return client
}

test('pairs by QR, restarts on 515 and logs in', async t => {
  const lab = await startLab(t)
  const auth = memoryAuth()
  const client = new Client(t, lab, auth)
  const { jid } = lab.pairing.scan(await client.qr(), '15550001')
  assert.equal(jid, '15550001:1@s.whatsapp.net')
  assert.equal((await client.closed()).output.statusCode, 515)
  assert.equal((await journaled(lab, 'paired')).method, 'qr')
  await assertPaired(t, lab, auth, '15550001')
})

test('pairs by code, restarts on 515 and logs in', async t => {
  const lab = await startLab(t)
  const auth = memoryAuth()
  const client = new Client(t, lab, auth)
  await client.qr()
  const code = await client.sock.requestPairingCode('15550002')
  await journaled(lab, 'pairing_code_requested', e => e.account === '15550002')
  await lab.pairing.enterCode('15550002', code)
  assert.equal((await client.closed()).output.statusCode, 515)
  assert.equal((await journaled(lab, 'paired')).method, 'code')
  await assertPaired(t, lab, auth, '15550002')
})

test('a wrong code and a stale QR pair nothing', async t => {
  const lab = await startLab(t)
  const client = new Client(t, lab, memoryAuth())
  const qr = await client.qr()
  await assert.rejects(lab.pairing.enterCode('15550003', 'ABCDEFGH'), /no pairing by code under way/)
  client.end()
  await journaled(lab, 'closed')
  assert.throws(() => lab.pairing.scan(qr, '15550003'), /no live connection/)
  assert.deepEqual(lab.accounts.get('15550003').companions(), [])
})

test('an interrupted pairing leaves no device behind: the login is refused with 401', async t => {
  const lab = await startLab(t)
  lab.accounts.makeCredentials('15550004', 7) // the account is known here, so a stranger is not taken in
  const auth = memoryAuth()
  const client = new Client(t, lab, auth)
  const qr = await client.qr()
  lab.pairing.scan(qr, '15550004')
  const [connection] = lab.find('*')
  connection.reset()
  await client.closed()
  assert.equal(lab.journal.select({ kinds: ['paired'] }).length, 0)
  auth.creds.me ??= { id: '15550004:8@s.whatsapp.net' }
  assert.equal((await new Client(t, lab, auth).closed()).output.statusCode, 401)
})

test('logout removes the device: 401 at once and at the next login', async t => {
  const lab = await startLab(t)
  const auth = memoryAuth(lab.accounts.makeCredentials('15550005'))
  const client = await new Client(t, lab, auth).open()
  await client.sock.logout()
  assert.equal((await client.closed()).output.statusCode, 401)
  assert.equal((await journaled(lab, 'unlinked')).cause, 'logout')
  assert.equal((await new Client(t, lab, auth).closed()).output.statusCode, 401)
  assert.equal((await journaled(lab, 'login_failure')).reason, '401')
  assert.equal(lab.journal.select({ kinds: ['login'] }).length, 1)
})

test('an unknown device of an unknown account is taken in, unless told otherwise', async t => {
  const auth = memoryAuth((await startLab(t)).accounts.makeCredentials('15550006'))
  const open = await startLab(t)
  await (await new Client(t, open, auth).open()).end()
  const strict = await startLab(t, { autoAccept: false })
  assert.equal((await new Client(t, strict, auth).closed()).output.statusCode, 401)
})
