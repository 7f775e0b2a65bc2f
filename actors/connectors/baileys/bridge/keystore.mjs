// One session's auth state in memory: a full mirror of what the vault holds, and every change written through to it.
import { BufferJSON, initAuthCreds, proto } from '@whiskeysockets/baileys'
import { ProtocolError } from './errors.mjs'

const CREDS = 'creds'
const APP_STATE_KEY = 'app-state-sync-key'

const toText = value => JSON.stringify(value, BufferJSON.replacer)
const toBytes = text => Buffer.from(text, 'utf8')

/**
 * Values are kept as text, which is smaller than objects and can't be changed by who reads them.
 *
 * Until the device is paired nothing is written: a pairing that is interrupted leaves no half-made credentials, with which
 * the next connection would try to log in. The pairing itself is one commit of everything.
 */
export class Keystore {
  #channel
  #mirror // Map of `type/id` to text
  #leftovers // keys in the vault that belong to no pairing
  #onFailure
  #sealed = false

  /** `onFailure(error)` is told of each commit that failed. Throws when the vault's credentials can't be read. */
  constructor(channel, entries, onFailure) {
    this.#channel = channel
    this.#onFailure = onFailure
    const texts = new Map([...entries].map(([key, value]) => [key, Buffer.from(value).toString('utf8')]))
    const stored = texts.has(CREDS) ? parsed(texts.get(CREDS)) : null
    this.paired = Boolean(stored?.account)
    this.creds = this.paired ? stored : initAuthCreds()
    texts.delete(CREDS)
    this.#mirror = this.paired ? texts : new Map()
    this.#leftovers = this.paired ? [] : [...entries.keys()]
  }

  /** Loads a session's auth state through `channel`. Rejects with ProtocolError. */
  static async load(channel, onFailure) {
    return new Keystore(channel, await channel.load(), onFailure)
  }

  /** Whether the first login after the pairing, which makes the pre-keys, is still to come. */
  get isFresh() { return this.creds.firstUnuploadedPreKeyId <= 1 }

  /** Baileys' SignalKeyStore; `set` resolves when the vault has committed. */
  get signalKeys() {
    return {
      get: async (type, ids) => {
        const found = {}
        for (const id of ids) {
          const text = this.#mirror.get(`${type}/${id}`)
          if (text !== undefined) found[id] = revived(type, text)
        }
        return found
      },
      set: data => this.#set(data)
    }
  }

  /** Writes the credentials as they are now. Resolves when they are durable, at once for a device not yet paired. */
  async saveCreds() {
    if (this.creds.account && !this.paired) return this.#pair()
    if (this.paired) await this.#commit(new Map([[CREDS, toText(this.creds)]]))
    return undefined
  }

  /** Resolves when all that was written so far has been answered by the vault. */
  drained() {
    return this.#channel.drained()
  }

  /** From now on nothing is written: the connection is over. */
  seal() {
    this.#sealed = true
  }

  async #set(data) {
    const changed = new Map()
    const deleted = []
    for (const [type, values] of Object.entries(data)) {
      for (const [id, value] of Object.entries(values)) {
        const key = `${type}/${id}`
        if (value === null || value === undefined) deleted.push(key)
        else changed.set(key, toText(value))
      }
    }
    if (this.#sealed) throw closed()
    for (const key of deleted) this.#mirror.delete(key)
    for (const [key, text] of changed) this.#mirror.set(key, text)
    if (this.paired && changed.size + deleted.length > 0) await this.#commit(changed, deleted)
  }

  async #pair() {
    this.paired = true
    const all = new Map([...this.#mirror, [CREDS, toText(this.creds)]])
    const stale = this.#leftovers.filter(key => !all.has(key))
    this.#leftovers = []
    await this.#commit(all, stale, true)
  }

  async #commit(texts, deleted = [], paired = undefined) {
    if (this.#sealed) throw closed()
    try {
      await this.#channel.commit(new Map([...texts].map(([key, text]) => [key, toBytes(text)])), deleted, paired)
    } catch (error) {
      this.#onFailure(error)
      throw error
    }
  }
}

function revived(type, text) {
  const value = parsed(text)
  return type === APP_STATE_KEY ? proto.Message.AppStateSyncKeyData.fromObject(value) : value
}

function parsed(text) {
  try {
    return JSON.parse(text, BufferJSON.reviver)
  } catch {
    throw new ProtocolError('internal', 'the stored auth state can not be read') // JSON's own message quotes it
  }
}

function closed() {
  return new ProtocolError('closed', 'the connection is over')
}
