// One connection's Signal state, without Baileys' own transactions.
//
// Baileys 7.0.0-rc14 collects the changes of a transaction and writes them at its end, that is after the message is on the wire;
// it rolls them back when sending fails; transactions of different keys don't see each other's changes and overwrite them; and
// each socket leaves an AsyncLocalStorage behind that is never freed. All of that makes a ratchet go back, and a message key be
// used twice. Here every change is seen at once and durable before the operation resolves, so before its message is sent.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

/** The Transactions that the running code is inside of; one storage for the process. */
const current = new AsyncLocalStorage()

/** Runs asynchronous work one at a time, in the order in which it was asked for. */
export class Exclusive {
  #tail = Promise.resolve()

  run(work) {
    const done = this.#tail.then(() => work())
    this.#tail = done.catch(() => {})
    return done
  }
}

/** Encryptions that share one commit at the most. */
const MOST = 64

/** Runs what waits at the same time one after the other, and ends it together: a message is encrypted for many devices, and its keys are written once. */
export class Together {
  #exclusive
  #together
  #waiting = []
  #draining = false // or about to

  /** `together(work)` runs `work(within, hasRoom)`, and resolves when all that functions called by `within` have changed is durable; `hasRoom()` tells whether more may. */
  constructor(exclusive, together) {
    this.#exclusive = exclusive
    this.#together = together
  }

  /** What `work` resolves to, when that is durable. */
  run(work) {
    return new Promise((resolve, reject) => {
      // whoever asks is inside of a transaction of its own
      this.#waiting.push({ run: AsyncResource.bind(within => within(work)), resolve, reject })
      if (!this.#draining) this.#begin()
    })
  }

  #begin() {
    this.#draining = true
    void this.#exclusive.run(() => this.#drain())
  }

  async #drain() {
    const done = []
    try {
      await this.#together(async (within, hasRoom) => {
        while (this.#waiting.length > 0 && done.length < MOST && hasRoom()) {
          const { run, resolve, reject } = this.#waiting.shift()
          done.push(await run(within).then(value => ({ settle: () => resolve(value), reject }), error => ({ settle: () => reject(error), reject })))
        }
      })
      for (const { settle } of done) settle()
    } catch (error) {
      for (const { reject } of done) reject(error)
    }
    this.#draining = false
    if (this.#waiting.length > 0) this.#begin()
  }
}

/** Work under one key runs one at a time; inside of it, further transactions are part of it. */
export class Transactions {
  #keys = new Map() // key -> {exclusive, users}

  async run(work, key) {
    if (current.getStore() === this) return work()
    const entry = this.#keys.get(key) ?? { exclusive: new Exclusive(), users: 0 }
    this.#keys.set(key, entry)
    entry.users++
    try {
      return await entry.exclusive.run(() => current.run(this, work))
    } finally {
      if (--entry.users === 0) this.#keys.delete(key)
    }
  }
}

/** What reads a Signal session, changes it and writes it back. */
const CHANGING = [
  'injectE2ESession', 'migrateSession', 'deleteSession', 'encryptGroupMessage',
  'processSenderKeyDistributionMessage', 'getSenderKeyDistributionMessage'
]
/** The same for what arrives -> the parameter that holds the ciphertext. */
const ARRIVING = { decryptMessage: 'ciphertext', decryptGroupMessage: 'msg' }

/**
 * The option `makeSignalRepository` for Baileys: `make`, its own, over `keys` ({get, set} whose `set` resolves when durable).
 * A contact is known by two addresses that share a session, so the operations of all contacts run one at a time.
 * Encryptions for many devices at once are written `together` of the keystore, and each resolves when they are durable.
 * `arrive(ciphertext, decrypt)` gives what a decryption resolves to; `decrypt` is the decryption itself, by `changing` of the keystore.
 */
export function signalRepository(make, keys, { arrive, changing, together }) {
  return (auth, ...rest) => {
    const transactions = new Transactions()
    Object.assign(auth.keys, keys, { transaction: (work, key) => transactions.run(work, key), isInTransaction: () => false })
    const repository = make(auth, ...rest)
    const exclusive = new Exclusive()
    const encryptions = new Together(exclusive, together)
    const alone = name => (...parameters) => exclusive.run(() => repository[name](...parameters))
    const arriving = ([name, field]) => parameters =>
      arrive(parameters[field], () => exclusive.run(() => changing(() => repository[name](parameters))))
    return {
      ...repository,
      encryptMessage: parameters => encryptions.run(async () => repository.encryptMessage(parameters)),
      ...Object.fromEntries(CHANGING.map(name => [name, alone(name)])),
      ...Object.fromEntries(Object.entries(ARRIVING).map(entry => [entry[0], arriving(entry)]))
    }
  }
}
