// One session's auth state in memory: a full mirror of what the vault holds, and every change written through to it.
import { AsyncLocalStorage } from 'node:async_hooks'
import { BufferJSON, initAuthCreds, proto } from '@whiskeysockets/baileys'
import { ProtocolError } from './errors.mjs'
import { log } from './log.mjs'
import { PACK_FROM } from './packing.mjs'
import { BATCH_BYTES } from './vault.mjs'

const CREDS = 'creds'
const APP_STATE_KEY = 'app-state-sync-key'
const ARRIVED = 'arrived'
const APP_STATE_PREFIX = 'app-state-sync-version/'
/** Messages noted as arrived: more than can be on their way to the server, unacknowledged, when the process dies. */
const NOTES = 128

/** The Change that the running code belongs to. */
const current = new AsyncLocalStorage()

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
  #change = null // what was changed and may not be written yet
  #batch = null // what is written together
  #notes // Map of note to its slot, oldest first
  #noted = 0

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
    const notes = [...this.#mirror].filter(([key]) => key.startsWith(`${ARRIVED}/`)).map(([, text]) => parsed(text)).sort((a, b) => a.n - b.n)
    this.#notes = new Map(notes.map(({ n, note }) => [note, n]))
    this.#noted = notes.at(-1)?.n ?? 0
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

  /** Whether a message was noted when its keys were committed. */
  hasArrived(note) {
    return this.#notes.has(note)
  }

  /**
   * Runs `work`; what it changes is seen at once, but written by the Change that this resolves to: {value, finish(note?), abandon(error)}.
   * `finish` resolves to the value when the changes, and the note of an arrived message, are durable. When `work` fails, what it
   * changed is written at once. Whoever changes the same keys in between waits for it. One at a time.
   */
  async changing(work) {
    await this.#change?.over.catch(() => {})
    const change = new Change(note => this.#write(change, note))
    this.#change = change
    try {
      change.value = await current.run(change, work)
    } catch (error) {
      await change.finish()
      throw error
    }
    return change
  }

  /**
   * Runs `work(within, hasRoom)`; what functions called by `within` change is seen at once, and written in one commit, for which
   * `hasRoom()` tells whether it may grow. Resolves when that is durable. One at a time.
   */
  async together(work) {
    const batch = new Change(() => this.#write(batch))
    this.#batch = batch
    try {
      await work(each => current.run(batch, each), () => batch.bytes < BATCH_BYTES)
      if (this.#change?.concerns([...batch.changed.keys(), ...batch.deleted])) await this.#change.over
      await batch.finish()
    } catch (error) {
      batch.abandon(error)
      throw error
    }
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
    const own = current.getStore()
    if (own && (own === this.#change || own === this.#batch) && own.takes(changed, deleted)) return
    for (const open of [this.#change, this.#batch]) if (open?.concerns([...changed.keys(), ...deleted])) await open.over
    if (this.paired && changed.size + deleted.length > 0) await this.#commit(changed, deleted)
  }

  async #write(change, note) {
    const { changed, deleted } = change
    if (note !== undefined) {
      const n = ++this.#noted
      this.#notes.set(note, n)
      if (this.#notes.size > NOTES) this.#notes.delete(this.#notes.keys().next().value)
      changed.set(`${ARRIVED}/${n % NOTES}`, toText({ n, note }))
    }
    if (this.#change === change) this.#change = null
    if (this.#batch === change) this.#batch = null
    if (this.paired && changed.size + deleted.size > 0) await this.#commit(changed, [...deleted])
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
    const together = new Map()
    const alone = []
    for (const [key, text] of texts) {
      if (isLargeAppState(key, text)) alone.push(this.#commitAppState(key, toBytes(text)))
      else together.set(key, toBytes(text))
    }
    try {
      const rest = together.size + deleted.length > 0 || paired ? [this.#channel.commit(together, deleted, paired)] : []
      await Promise.all([...alone, ...rest])
    } catch (error) {
      this.#onFailure(error)
      throw error
    }
  }

  /**
   * A collection of the app state has an entry for each contact, chat, star: it can outgrow the vault. It is whole by itself, and the
   * server has it, too: what can't be stored is used until the connection ends, and synchronized again from what was stored before.
   */
  async #commitAppState(key, bytes) {
    try {
      await this.#channel.commit(new Map([[key, bytes]]), [], undefined, { spare: true })
    } catch (error) {
      if (error.code !== 'limit') throw error
      log('warning', 'app_state_not_stored', { collection: key.slice(APP_STATE_PREFIX.length), bytes: bytes.length })
    }
  }
}

/** Changes that are seen, and not yet written. */
class Change {
  value
  changed = new Map()
  deleted = new Set()
  bytes = 0 // of the texts in `changed`
  over // resolves when they are written; rejects when they never will be
  #write
  #done = false
  #settle

  constructor(write) {
    this.#write = write
    this.over = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    this.over.catch(() => {})
  }

  /** Takes further changes, unless it is over. */
  takes(changed, deleted) {
    if (this.#done) return false
    for (const key of deleted) {
      this.#forget(key)
      this.deleted.add(key)
    }
    for (const [key, text] of changed) {
      this.#forget(key)
      this.deleted.delete(key)
      this.changed.set(key, text)
      this.bytes += Buffer.byteLength(text)
    }
    return true
  }

  #forget(key) {
    this.bytes -= Buffer.byteLength(this.changed.get(key) ?? '')
    this.changed.delete(key)
  }

  concerns(keys) {
    return keys.some(key => this.changed.has(key) || this.deleted.has(key))
  }

  async finish(note) {
    this.#done = true
    try {
      await this.#write(note)
      this.#settle.resolve()
      return this.value
    } catch (error) {
      this.#settle.reject(error)
      throw error
    }
  }

  /** They are never written: the connection is over. */
  abandon(error) {
    this.#done = true
    this.#settle.reject(error)
  }
}

function isLargeAppState(key, text) {
  return key.startsWith(APP_STATE_PREFIX) && text.length >= PACK_FROM
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
