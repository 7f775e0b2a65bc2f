// Messages that come without content, which the account's own phone has: asked for, and acknowledged to the server only then.
//
// Baileys 7.0.0-rc14 acknowledges such a message at once and asks for its content two seconds later, so a crash in between loses
// it. Here it is asked for first, by Baileys' own function, and Baileys is given the message afterwards. When it then asks again
// it is told, by the cache that it asks, that somebody has done so.
import { PLACEHOLDER_MAX_AGE_SECONDS, decodeMessageNode } from '@whiskeysockets/baileys'
import { ProtocolError, isConnectionLoss } from './errors.mjs'
import { describe, log } from './log.mjs'
import { realTime } from './timers.mjs'

/** What a phone sends on to nobody, or needs not to: Baileys asks for none of these. */
const NOT_SENT_ON = new Set(['bot_unavailable_fanout', 'hosted_unavailable_fanout', 'view_once_unavailable_fanout', 'view_once'])
const CONTENT = new Set(['enc', 'plaintext'])

/**
 * Pauses before what failed is asked for again: the first, which doubles, and the longest. Baileys forgets a request eight seconds
 * after it, and takes the next one for answered if it was made before that.
 */
export const FIRST_MS = 10_000
export const LONGEST_MS = 15 * 60_000
/** Messages that wait to be asked for again at the most. */
export const MOST = 64

export class Placeholders {
  #me
  #ask
  #now
  #time
  #closed = false
  #pauses = new Set() // {timer, reject}
  #waiting = new Map() // message id -> what Baileys keeps of it until the phone answers
  #requests = new Map() // message id -> {answer: whether it was asked for, isAsked: the same once it is known, users}, until Baileys was handed all stanzas that wait for it

  /** `me` is {id, lid} of the account; `ask(key, data)` resolves when the phone was asked; `now()` is seconds since 1970, and `time` the timers. */
  constructor({ me, ask, now = () => Math.floor(Date.now() / 1000), time = realTime }) {
    this.#me = me
    this.#ask = ask
    this.#now = now
    this.#time = time
  }

  /** For Baileys' option `placeholderResendCache`. */
  cache = {
    get: id => this.#waiting.get(id) ?? this.#requests.get(id)?.isAsked ?? false,
    set: (id, data) => { this.#waiting.set(id, data) },
    del: id => { this.#waiting.delete(id) }
  }

  /** The connection is over. */
  close() {
    this.#closed = true
    for (const { timer, reject } of this.#pauses) {
      this.#time.clear(timer)
      reject(closed())
    }
  }

  /** Takes the place of Baileys' listener `handle` for messages. What could not be asked for stays unacknowledged, and comes again with the next connection. */
  async message(stanza, handle) {
    const found = isPlaceholder(stanza, this.#now()) ? this.#decoded(stanza) : null
    if (!found) return handle(stanza)
    const { id } = found.key
    const request = this.#requests.get(id) ?? this.#begin(stanza, found)
    request.users++
    try {
      if (await request.answer) await handle(atOnce(stanza))
    } finally {
      if (--request.users === 0) this.#requests.delete(id)
    }
  }

  /** A stanza that comes twice is one request: Baileys takes a second one for done while the first is still to be sent. */
  #begin(stanza, found) {
    const request = { isAsked: false, users: 0 }
    request.answer = this.#insist(stanza, found).then(isAsked => (request.isAsked = isAsked))
    this.#requests.set(found.key.id, request)
    return request
  }

  /** Whether the phone was asked, or needs to be no longer. What fails is tried again, or it would wait for the next connection, for days perhaps. Rejects when this one is over. */
  async #insist(stanza, { key, ...data }) {
    for (let pause = FIRST_MS; isPlaceholder(stanza, this.#now()); pause = Math.min(2 * pause, LONGEST_MS)) {
      try {
        await this.#ask({ remoteJid: key.remoteJid, fromMe: key.fromMe, id: key.id, participant: key.participant }, { key, ...data })
        return true
      } catch (error) {
        this.cache.del(key.id)
        if (isConnectionLoss(error)) throw error
        if (pause === FIRST_MS) log('warning', 'placeholder_not_asked_for', describe(error))
      }
      if (this.#pauses.size >= MOST) return false
      await this.#pause(pause)
    }
    return true
  }

  async #pause(ms) {
    if (this.#closed) throw closed()
    const pause = {}
    this.#pauses.add(pause)
    try {
      await new Promise((resolve, reject) => Object.assign(pause, { timer: this.#time.set(ms, resolve), reject }))
    } finally {
      this.#pauses.delete(pause)
    }
  }

  /** Null for what is no message of anybody; Baileys refuses that. */
  #decoded(stanza) {
    try {
      const { key, messageTimestamp, pushName } = decodeMessageNode(stanza, this.#me().id, this.#me().lid ?? '').fullMessage
      return { key, messageTimestamp, pushName }
    } catch {
      return null
    }
  }
}

/** Whether Baileys would ask the phone for the content of a message; `now` in seconds since 1970. */
export function isPlaceholder({ attrs, content }, now) {
  const parts = Array.isArray(content) ? content : []
  if (attrs.category === 'peer' || parts.some(({ tag }) => CONTENT.has(tag))) return false
  const isSentOn = !parts.some(part => part.tag === 'unavailable' && NOT_SENT_ON.has(part.attrs.type))
  return isSentOn && !(now - Number(attrs.t) > PLACEHOLDER_MAX_AGE_SECONDS)
}

/** The stanza as one that Baileys puts into no queue, in which it would outlive our word for it that somebody has asked. */
function atOnce({ attrs: { offline, ...attrs }, ...rest }) {
  return { ...rest, attrs }
}

function closed() {
  return new ProtocolError('closed', 'the connection is over')
}
