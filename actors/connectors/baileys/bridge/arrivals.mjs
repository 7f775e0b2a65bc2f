// What arrives on one connection: told to the host, stored there, and acknowledged to the server only then.
//
// Baileys 7.0.0-rc14 sends the receipt of a message before it says that there is one, and right after it has decrypted it. So a
// message is read and told from within the decryption, which resolves when the host has stored it: the receipt follows by itself.
// The keys that the decryption changed are committed in between, together with a note of the message. A crash before that
// commit leaves a message that comes again and can be decrypted; one after it, a message that comes again and is known.
import { createHash } from 'node:crypto'
import { cleanMessage, decodeMessageNode, proto, unpadRandomMax16 } from '@whiskeysockets/baileys'
import { ProtocolError } from './errors.mjs'
import { readMessage } from './stanzas.mjs'

/** Stanzas of one connection that may wait to be stored; beyond it the connection ends, and the server keeps them. */
export const BACKLOG = 1024
/** A padded message with nothing in it: what a message that is known already is decrypted to. */
const NOTHING = Buffer.from([1])

export class Arrivals {
  #keystore
  #on
  #stanzas = new WeakMap() // ciphertext -> the stanza that it is of
  #waiting = new Set() // {reject, forget} of what the host has not stored
  #sentOn = new Set() // ids of messages that the phone sent on: they were told, and Baileys will tell of them
  #pending = 0
  #closed = false

  /** `on.message(fields, stored)` and `on.receipt(fields, stored)` tell the host and give a function to forget; `on.wanted(messageId)` resolves when the text to send again is there, if anywhere; `on.backlog()` once. */
  constructor(keystore, on) {
    this.#keystore = keystore
    this.#on = on
  }

  /** Takes the place of Baileys' listener `handle` for messages. */
  async message(stanza, handle) {
    for (const { content } of Array.isArray(stanza.content) ? stanza.content : []) if (content instanceof Uint8Array) this.#stanzas.set(content, stanza)
    await this.#held(() => handle(stanza))
  }

  /**
   * Takes the place of Baileys' listener for receipts, which acknowledges them, and sends again what they ask for.
   * `told` is what a receipt tells, or null; `wanted` the message that it asks for, or null.
   */
  async receipt({ told, wanted }, handle) {
    await this.#held(async () => {
      if (told) await Promise.all(told.messageIds.map(messageId => this.#stored('receipt', { messageId, type: told.type })))
      if (wanted !== null) await this.#on.wanted(wanted)
      await handle()
    })
  }

  /** The plaintext of `ciphertext`, by `decrypt`, once what it says is stored and the keys that changed are durable. */
  async decrypt(ciphertext, decrypt) {
    const stanza = this.#stanzas.get(ciphertext)
    if (!stanza) return (await decrypt()).finish()
    const me = this.#keystore.creds.me
    const { fullMessage } = decodeMessageNode(stanza, me.id, me.lid ?? '')
    const note = noteOf(fullMessage.key)
    if (this.#keystore.hasArrived(note)) return NOTHING
    const change = await decrypt()
    try {
      const told = read(fullMessage, change.value, me)
      if (told.length === 0) return await change.finish()
      const offline = Boolean(stanza.attrs.offline)
      await Promise.all(told.map(fields => this.#stored('message', { ...fields, offline })))
      for (const { messageId } of told) if (messageId !== fullMessage.key.id) this.#sentOn.add(messageId)
      return await change.finish(note)
    } catch (error) {
      change.abandon(error)
      throw error
    }
  }

  /** Whether a message that Baileys tells of was told from within its decryption. */
  isTold(key) {
    return this.#keystore.hasArrived(noteOf(key)) || this.#sentOn.delete(key.id)
  }

  /** The connection is over: what is not stored stays unacknowledged. */
  close() {
    this.#closed = true
    for (const { reject, forget } of this.#waiting) {
      forget()
      reject(closed())
    }
    this.#waiting.clear()
  }

  async #held(work) {
    if (++this.#pending > BACKLOG) this.#on.backlog()
    try {
      await work()
    } finally {
      this.#pending--
    }
  }

  #stored(kind, fields) {
    if (this.#closed) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      const entry = { reject, forget: () => {} }
      this.#waiting.add(entry)
      entry.forget = this.#on[kind](fields, () => {
        this.#waiting.delete(entry)
        resolve()
      })
    })
  }
}

/** What a decrypted message tells. Nothing, if it is for the client itself, or of the account itself, or nobody can read it. */
function read(fullMessage, plaintext, me) {
  const content = decoded(proto.Message, unpadded(plaintext))
  if (!content) return []
  const message = { ...fullMessage, key: { ...fullMessage.key }, message: content.deviceSentMessage?.message ?? content }
  return [message, ...sentOn(message)].flatMap(each => readOne(each, me))
}

function readOne(message, me) {
  try {
    cleanMessage(message, me.id, me.lid ?? '')
  } catch {
    return [] // a reaction or a vote without the key of what it is about: Baileys throws there as well, and says so
  }
  const { kind, ...fields } = readMessage(message) ?? {}
  return kind === 'message' ? [fields] : []
}

/** The messages that the own phone sends on, because this device got them without content and asked for them. */
function sentOn({ key, message }) {
  const results = key.fromMe ? message.protocolMessage?.peerDataOperationRequestResponseMessage?.peerDataOperationResult : null
  const bytes = (results ?? []).map(result => result?.placeholderMessageResendResponse?.webMessageInfoBytes).filter(Boolean)
  return bytes.map(each => decoded(proto.WebMessageInfo, each)).filter(info => info?.key?.id && info.message)
}

/** Null for what Baileys will not be able to read either, and says so. */
function decoded(type, bytes) {
  try {
    return bytes && type.decode(bytes)
  } catch {
    return null
  }
}

function unpadded(plaintext) {
  try {
    return unpadRandomMax16(plaintext)
  } catch {
    return null
  }
}

/** A short name of a message that says nothing about who wrote it. */
function noteOf({ remoteJid, participant, id }) {
  return createHash('sha256').update(JSON.stringify([user(remoteJid), user(participant), id])).digest('base64url').slice(0, 22)
}

/** An address without its device, which Baileys takes away later on. */
function user(jid) {
  return jid ? jid.replace(/:\d+@/, '@') : ''
}

function closed() {
  return new ProtocolError('closed', 'the connection is over')
}
