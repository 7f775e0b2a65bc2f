import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import '../quiet.mjs'
import '../isolation.mjs'
import { Exclusive, Together, Transactions, signalRepository } from '../signal.mjs'

/** What arrives is decrypted, and that is all. */
const plainly = { arrive: async (_ciphertext, decrypt) => (await decrypt()).value, changing: async work => ({ value: await work() }), together: work => work(each => each(), () => true) }
const turn = () => new Promise(resolve => setImmediate(resolve))

test('exclusive work runs one at a time and in order, also after a failure', async () => {
  const exclusive = new Exclusive()
  const steps = []
  const work = name => async () => {
    steps.push(`${name} begins`)
    await turn()
    steps.push(`${name} ends`)
    if (name === 'b') throw new Error('b fails')
    return name
  }
  const all = await Promise.allSettled(['a', 'b', 'c'].map(name => exclusive.run(work(name))))
  assert.deepEqual(all.map(each => each.value ?? each.reason.message), ['a', 'b fails', 'c'])
  assert.deepEqual(steps, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

test('transactions of one key wait for each other, those of others do not', async () => {
  const transactions = new Transactions()
  const steps = []
  let finish
  const first = transactions.run(() => new Promise(resolve => { finish = resolve }), 1)
  const second = transactions.run(() => steps.push('second'), 1)
  await transactions.run(() => steps.push('another key'), 2)
  finish()
  await Promise.all([first, second])
  assert.deepEqual(steps, ['another key', 'second'])
})

test('a transaction inside a transaction is part of it, of another connection it is not', { timeout: 5000 }, async () => {
  const ours = new Transactions()
  const theirs = new Transactions()
  assert.equal(await ours.run(() => ours.run(() => ours.run(() => 'inner', 'k'), 'other'), 'k'), 'inner')
  let free
  const held = theirs.run(() => new Promise(resolve => { free = resolve }), 'k')
  let entered = false
  const waiting = ours.run(() => theirs.run(() => { entered = true }, 'k'), 'k')
  await turn()
  assert.equal(entered, false)
  free()
  await Promise.all([held, waiting])
  assert.equal(entered, true)
})

test('a change is seen at once, and durable before the operation resolves', async () => {
  const written = new Map()
  let durable
  const keys = {
    get: async (type, ids) => Object.fromEntries(ids.filter(id => written.has(id)).map(id => [id, written.get(id)])),
    set: async data => {
      for (const [id, value] of Object.entries(data.session)) written.set(id, value)
      await new Promise(resolve => { durable = resolve })
    }
  }
  const make = auth => ({ encryptMessage: ({ value }) => auth.keys.transaction(() => auth.keys.set({ session: { a: value } }), 'a'), validateSession: () => 'untouched' })
  const auth = { keys: {} }
  const repository = signalRepository(make, keys, plainly)(auth)
  let done = false
  const sending = repository.encryptMessage({ value: 1 }).then(() => { done = true })
  await turn()
  assert.deepEqual(await auth.keys.get('session', ['a']), { a: 1 })
  assert.equal(done, false)
  durable()
  await sending
  assert.equal(repository.validateSession(), 'untouched')
})

test('operations that change a session run one at a time, whatever the address', async () => {
  let running = 0
  const make = () => ({
    encryptMessage: async () => {
      assert.equal(++running, 1)
      await turn()
      running--
    },
    decryptMessage: async () => {
      assert.equal(++running, 1)
      await turn()
      running--
    }
  })
  const repository = signalRepository(make, {}, plainly)({ keys: {} })
  await Promise.all([repository.encryptMessage(), repository.decryptMessage({}), repository.encryptMessage()])
})

test('encryptions for many devices end together, when all of them are durable', async () => {
  const batches = []
  let durable
  const together = async work => {
    batches.push(work)
    await work(each => each(), () => true)
    await new Promise(resolve => { durable = resolve })
  }
  const storage = new AsyncLocalStorage()
  const make = () => ({
    encryptMessage: async ({ jid }) => {
      await turn()
      assert.equal(storage.getStore(), jid, 'in the name of whoever asked')
      if (jid === 'bad') throw new Error('no session')
      return jid
    }
  })
  const repository = signalRepository(make, {}, { ...plainly, together })({ keys: {} })
  const settled = []
  const encrypt = jid => storage.run(jid, () => repository.encryptMessage({ jid })).then(value => settled.push(value), error => settled.push(error.message))
  const all = [...['a', 'bad'].map(encrypt)]
  await turn()
  all.push(encrypt('b')) // while the others are on their way
  for (let n = 0; n < 5; n++) await turn()
  assert.deepEqual([batches.length, settled], [1, []])
  const next = encrypt('c')
  durable()
  await Promise.all(all)
  assert.deepEqual(settled, ['a', 'no session', 'b'])
  await turn()
  await turn()
  durable()
  await next
  assert.equal(batches.length, 2)
})

test('what comes while the others are written adds no more than one to the queue, however long that lasts', async () => {
  let [queued, most, batches] = [0, 0, 0]
  class Counted extends Exclusive {
    run(work) {
      most = Math.max(most, ++queued)
      return super.run(work).finally(() => queued--)
    }
  }
  const together = new Together(new Counted(), async work => {
    batches++
    await work(each => each(), () => true)
    await turn()
  })
  const caller = async () => {
    for (let n = 0; n < 50; n++) {
      await together.run(async () => {})
      await Promise.resolve() // then the next batch has begun
    }
  }
  await Promise.all([caller(), turn().then(caller)])
  await turn()
  assert.deepEqual([most <= 2, queued], [true, 0], `${most} in the queue: the one that ends and the one it begins at the most`)
  assert.ok(batches <= 100, `${batches} batches for 100 encryptions`)
})

test('what can not be written is encrypted for nobody', async () => {
  const together = async work => {
    await work(each => each(), () => true)
    throw new Error('the vault is away')
  }
  const make = () => ({ encryptMessage: async () => 'ciphertext' })
  const repository = signalRepository(make, {}, { ...plainly, together })({ keys: {} })
  for (const each of await Promise.allSettled([1, 2].map(() => repository.encryptMessage()))) assert.equal(each.reason.message, 'the vault is away')
})

test('what waits to be stored after its decryption holds up nothing else', { timeout: 5000 }, async () => {
  let store
  const stored = new Promise(resolve => { store = resolve })
  const arrive = async (ciphertext, decrypt) => {
    const { value } = await decrypt()
    await stored
    return `${ciphertext} was ${value}`
  }
  const make = () => ({ decryptMessage: async () => 'read', encryptMessage: async () => 'written' })
  const repository = signalRepository(make, {}, { ...plainly, arrive })({ keys: {} })
  const arriving = repository.decryptMessage({ ciphertext: 'it' })
  assert.equal(await repository.encryptMessage(), 'written')
  store()
  assert.equal(await arriving, 'it was read')
})

test('libsignal has no queue of the whole process any more', async () => {
  await import('@whiskeysockets/baileys')
  const require = createRequire(import.meta.resolve('@whiskeysockets/baileys'))
  const queue = require('libsignal/src/queue_job.js')
  const never = queue('same address', () => new Promise(() => {}))
  assert.ok(never instanceof Promise)
  assert.equal(await queue('same address', async () => 'not held up'), 'not held up')
})
