// One connection's Signal state, without Baileys' own transactions.
//
// Baileys 7.0.0-rc14 collects the changes of a transaction and writes them at its end, that is after the message is on the wire;
// it rolls them back when sending fails; transactions of different keys don't see each other's changes and overwrite them; and
// each socket leaves an AsyncLocalStorage behind that is never freed. All of that makes a ratchet go back, and a message key be
// used twice. Here every change is seen at once and durable before the operation resolves, so before its message is sent.
import { AsyncLocalStorage } from 'node:async_hooks'

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
  'encryptMessage', 'injectE2ESession', 'migrateSession', 'deleteSession', 'encryptGroupMessage',
  'processSenderKeyDistributionMessage', 'getSenderKeyDistributionMessage'
]
/** The same for what arrives -> the parameter that holds the ciphertext. */
const ARRIVING = { decryptMessage: 'ciphertext', decryptGroupMessage: 'msg' }

/**
 * The option `makeSignalRepository` for Baileys: `make`, its own, over `keys` ({get, set} whose `set` resolves when durable).
 * A contact is known by two addresses that share a session, so the operations of all contacts run one at a time.
 * `arrive(ciphertext, decrypt)` gives what a decryption resolves to; `decrypt` is the decryption itself, by `changing` of the keystore.
 */
export function signalRepository(make, keys, { arrive, changing }) {
  return (auth, ...rest) => {
    const transactions = new Transactions()
    Object.assign(auth.keys, keys, { transaction: (work, key) => transactions.run(work, key), isInTransaction: () => false })
    const repository = make(auth, ...rest)
    const exclusive = new Exclusive()
    const alone = name => (...parameters) => exclusive.run(() => repository[name](...parameters))
    const arriving = ([name, field]) => parameters =>
      arrive(parameters[field], () => exclusive.run(() => changing(() => repository[name](parameters))))
    return {
      ...repository,
      ...Object.fromEntries(CHANGING.map(name => [name, alone(name)])),
      ...Object.fromEntries(Object.entries(ARRIVING).map(entry => [entry[0], arriving(entry)]))
    }
  }
}
