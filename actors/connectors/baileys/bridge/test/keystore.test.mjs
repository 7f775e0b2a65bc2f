import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtocolError } from '../errors.mjs'
import { Exclusive, Together } from '../signal.mjs'
import { account, blob, failures, load, paired, peer, stored } from './keystorekit.mjs'

test('before the pairing nothing is written', async () => {
  const keystore = await load()
  keystore.creds.me = { id: '15550001@s.whatsapp.net' } // what a request for a pairing code leaves
  await keystore.saveCreds()
  await keystore.signalKeys.set({ 'pre-key': { 1: { private: Buffer.from('p') } } })
  assert.equal(peer.asked('commit').length, 0)
  assert.equal(keystore.paired, false)
  assert.deepEqual(await keystore.signalKeys.get('pre-key', ['1', '2']), { 1: { private: Buffer.from('p') } })
})

test('the pairing is one commit of all there is, and takes leftovers away', async () => {
  peer.entries.set('creds', blob({ me: { id: 'half' } }))
  peer.entries.set('session/old', blob('old'))
  const keystore = await load()
  assert.equal(keystore.creds.me, undefined)
  await keystore.signalKeys.set({ session: { x: Buffer.from('x') } })
  keystore.creds.account = account
  await keystore.saveCreds()
  assert.equal(peer.asked('commit').length, 1)
  assert.deepEqual([...peer.entries.keys()].sort(), ['creds', 'session/x'])
  assert.equal(peer.paired, true)
  assert.deepEqual(stored('creds').account, account)
})

test('what is set is durable when it resolves, and comes back at the next load', async () => {
  const keystore = await paired()
  await keystore.signalKeys.set({ session: { a: { n: Buffer.from('1') }, b: { n: 2 } }, 'lid-mapping': { c: 'd' } })
  await keystore.signalKeys.set({ session: { a: null } })
  assert.deepEqual([...peer.entries.keys()].sort(), ['creds', 'lid-mapping/c', 'session/b'])
  const again = await load()
  assert.equal(again.paired, true)
  assert.equal(again.creds.me.id, '15550001:1@s.whatsapp.net')
  assert.deepEqual(await again.signalKeys.get('session', ['a', 'b']), { b: { n: 2 } })
})

test('a reader can not change what is kept', async () => {
  const keystore = await paired()
  await keystore.signalKeys.set({ session: { a: { n: 1 } } })
  const read = await keystore.signalKeys.get('session', ['a'])
  read.a.n = 2
  assert.deepEqual(await keystore.signalKeys.get('session', ['a']), { a: { n: 1 } })
})

test('app state keys come back as what Baileys made them', async () => {
  const keystore = await paired()
  await keystore.signalKeys.set({ 'app-state-sync-key': { k: { keyData: Buffer.from('k'), timestamp: 7 } } })
  const { k } = await keystore.signalKeys.get('app-state-sync-key', ['k'])
  assert.equal(k.constructor.name, 'AppStateSyncKeyData')
  assert.deepEqual(Buffer.from(k.keyData), Buffer.from('k'))
})

test('a failed commit is told and rejects', async () => {
  const keystore = await paired()
  peer.refuse = new ProtocolError('fenced', 'another owner')
  await assert.rejects(keystore.signalKeys.set({ session: { a: 1 } }), { code: 'fenced' })
  assert.deepEqual(failures, ['fenced'])
})

test('once sealed nothing is written', async () => {
  const keystore = await paired()
  keystore.seal()
  await assert.rejects(keystore.signalKeys.set({ session: { a: 1 } }), { code: 'closed' })
  await assert.rejects(keystore.saveCreds(), { code: 'closed' })
  assert.equal(peer.entries.has('session/a'), false)
  assert.deepEqual(failures, [])
})

test('credentials that can not be read are an error that does not quote them', async () => {
  peer.entries.set('creds', Buffer.from('{"noiseKey": SECRET'))
  await assert.rejects(load(), error => error instanceof ProtocolError && !error.message.includes('SECRET'))
  assert.equal(peer.entries.size, 1, 'nothing is wiped')
})

test('fresh until the first pre-keys are made', async () => {
  const keystore = await paired()
  assert.equal(keystore.isFresh, true)
  keystore.creds.firstUnuploadedPreKeyId = 813
  assert.equal(keystore.isFresh, false)
})

test('a change is seen at once and written when it is finished, with the note of what arrived', async () => {
  const keystore = await paired()
  const { signalKeys: keys } = keystore
  await keys.set({ session: { a: 'before' }, 'pre-key': { 1: 'p' } })
  const change = await keystore.changing(async () => {
    await keys.set({ session: { a: 'after' }, 'pre-key': { 1: null } })
    return 'text'
  })
  assert.deepEqual(await keys.get('session', ['a']), { a: 'after' })
  assert.equal(stored('session/a'), 'before')
  assert.equal(keystore.hasArrived('note'), false)
  const commits = peer.asked('commit').length
  assert.equal(await change.finish('note'), 'text')
  assert.equal(peer.asked('commit').length, commits + 1, 'both in one transaction')
  assert.equal(stored('session/a'), 'after')
  assert.equal(peer.entries.has('pre-key/1'), false)
  assert.equal((await load()).hasArrived('note'), true)
})

test('who changes the same keys waits for the change, who changes others does not', { timeout: 5000 }, async () => {
  const keystore = await paired()
  const { signalKeys: keys } = keystore
  const change = await keystore.changing(() => keys.set({ session: { a: 1 } }))
  await keys.set({ session: { b: 1 } })
  let written = false
  const same = keys.set({ session: { a: 2 } }).then(() => { written = true })
  await keys.set({ session: { c: 1 } })
  assert.equal(written, false)
  assert.deepEqual(await keys.get('session', ['a']), { a: 2 }, 'it is seen all the same')
  await change.finish()
  await same
  assert.equal(stored('session/a'), 2)
})

test('what is changed together is seen at once and written in one commit', async () => {
  const keystore = await paired()
  const { signalKeys: keys } = keystore
  const commits = peer.asked('commit').length
  await keystore.together(async within => {
    await within(() => keys.set({ session: { a: 1, b: 1 } }))
    assert.deepEqual(await keys.get('session', ['a']), { a: 1 })
    await keys.set({ session: { z: 1 } }) // of somebody else
    await within(() => keys.set({ session: { b: null, c: 1 } }))
    assert.equal(peer.asked('commit').length, commits + 1)
  })
  assert.equal(peer.asked('commit').length, commits + 2)
  assert.deepEqual(['a', 'c', 'z'].map(id => stored(`session/${id}`)), [1, 1, 1])
  assert.equal(peer.entries.has('session/b'), false)
  await keystore.together(async () => {})
  assert.equal(peer.asked('commit').length, commits + 2, 'nothing is no commit')
})

test('what is changed together is no more than a commit can hold', async () => {
  const keystore = await paired()
  const { signalKeys: keys } = keystore
  const commits = peer.asked('commit').length
  const encryptions = new Together(new Exclusive(), work => keystore.together(work))
  const large = 'x'.repeat(900_000)
  const ids = ['a', 'b', 'c', 'd', 'e', 'f']
  await Promise.all(ids.map(id => encryptions.run(() => keys.set({ session: { [id]: large } }))))
  assert.deepEqual([peer.asked('commit').length - commits, ids.every(id => stored(`session/${id}`) === large)], [3, true])
  await Promise.all(ids.map(() => encryptions.run(() => keys.set({ session: { a: large, b: null } }))))
  assert.equal(peer.asked('commit').length - commits, 4, 'what is changed again counts once')
})

test('what is changed together is written after the change that it is built on, or never', { timeout: 5000 }, async () => {
  const keystore = await paired()
  const { signalKeys: keys } = keystore
  const change = await keystore.changing(() => keys.set({ session: { a: 1 } }))
  const batch = keystore.together(within => within(() => keys.set({ session: { a: 2, b: 2 } })))
  await keys.set({ session: { c: 1 } })
  assert.equal(peer.entries.has('session/b'), false)
  await change.finish()
  await batch
  assert.deepEqual([stored('session/a'), stored('session/b')], [2, 2])
  const abandoned = await keystore.changing(() => keys.set({ session: { a: 3 } }))
  const never = assert.rejects(keystore.together(within => within(() => keys.set({ session: { a: 4, d: 4 } }))), { code: 'closed' })
  abandoned.abandon(new ProtocolError('closed', 'over'))
  await never
  assert.equal(peer.entries.has('session/d'), false)
})

test('an abandoned change is never written, nor what was built on it', async () => {
  const keystore = await paired()
  const { signalKeys: keys } = keystore
  const change = await keystore.changing(() => keys.set({ session: { a: 1 } }))
  const built = assert.rejects(keys.set({ session: { a: 2 } }), { code: 'closed' })
  change.abandon(new ProtocolError('closed', 'over'))
  await built
  assert.equal(peer.entries.has('session/a'), false)
})

test('what a failed decryption changed is written', async () => {
  const keystore = await paired()
  const failing = keystore.changing(async () => {
    await keystore.signalKeys.set({ 'identity-key': { a: 'new' } })
    throw new Error('bad MAC')
  })
  await assert.rejects(failing, { message: 'bad MAC' })
  assert.equal(stored('identity-key/a'), 'new')
})

test('the notes of what arrived are bounded, the latest stay', async () => {
  const keystore = await paired()
  for (let number = 0; number < 300; number++) await (await keystore.changing(async () => {})).finish(`note-${number}`)
  const again = await load()
  const known = Array.from({ length: 300 }, (_, number) => number).filter(number => again.hasArrived(`note-${number}`))
  assert.deepEqual(known, Array.from({ length: 128 }, (_, index) => 172 + index))
  await (await again.changing(async () => {})).finish('next')
  assert.equal(again.hasArrived('note-172'), false)
  assert.equal([...peer.entries.keys()].filter(key => key.startsWith('arrived/')).length, 128)
})
