// The sends of one connection: each ends exactly once, as acknowledged, refused, timed out or closed.
import { ProtocolError, isConnectionLoss } from './errors.mjs'
import { masked } from './log.mjs'
import { realTime } from './timers.mjs'

/** Sends of one session that may wait at a time. */
export const MAX_PENDING = 256
/** Characters of a text; the server's own limit. */
export const MAX_TEXT = 65_536
/** Timed-out sends whose late answer is still told. */
const MAX_LATE = 256

const MESSAGE_ID = /^[A-Za-z0-9._-]{1,64}$/
const PHONE = /^\+?(\d{5,15})$/
const JID = /^(?:\d{5,20}@(?:s\.whatsapp\.net|lid)|\d{5,20}(?:-\d{5,20})?@g\.us)$/

/** The address of a phone number or JID. Throws `invalid_recipient`; the address is not repeated, it is personal data. */
export function recipient(to) {
  if (typeof to !== 'string') throw new ProtocolError('bad_request', 'to must be a text')
  const phone = PHONE.exec(to)
  if (phone) return `${phone[1]}@s.whatsapp.net`
  if (!JID.test(to)) throw new ProtocolError('invalid_recipient', 'to is no phone number, and no address of a user or a group')
  return to
}

/** Throws `bad_request` or `limit`. */
export function checkMessage({ messageId, text }) {
  if (typeof messageId !== 'string' || !MESSAGE_ID.test(messageId)) throw new ProtocolError('bad_request', 'messageId must match [A-Za-z0-9._-]{1,64}')
  if (typeof text !== 'string' || text.length === 0) throw new ProtocolError('bad_request', 'text must be a text, and not empty')
  if (text.length > MAX_TEXT) throw new ProtocolError('limit', `text is longer than ${MAX_TEXT} characters`)
}

export class Sends {
  #transmit
  #on
  #ackTimeoutMs
  #clock
  #time
  #pending = new Map() // message id -> {started, written, answer, timer, resolve, reject}
  #late = new Map() // message id -> when it was started
  #closed = false

  /**
   * `transmit(messageId, to, text)` resolves when the node is on the wire and the session's keys are durable.
   * `on.sent(messageId)`, then `on.ack({messageId, error, ms})`. `clock()` is milliseconds since 1970.
   */
  constructor({ transmit, on, ackTimeoutMs, clock = Date.now, time = realTime }) {
    this.#transmit = transmit
    this.#on = on
    this.#ackTimeoutMs = ackTimeoutMs
    this.#clock = clock
    this.#time = time
  }

  get pending() { return this.#pending.size }

  /** {at, ms} once the server has acknowledged and the keys are durable. Rejects with ProtocolError. */
  async send({ messageId, to, text }) {
    checkMessage({ messageId, text })
    const address = recipient(to)
    if (this.#closed) throw new ProtocolError('not_open', 'the connection is closing')
    if (this.#pending.has(messageId)) throw new ProtocolError('busy', 'a message with this id is being sent')
    if (this.#pending.size >= MAX_PENDING) throw new ProtocolError('limit', `${MAX_PENDING} messages are being sent`)
    this.#late.delete(messageId)
    return new Promise((resolve, reject) => {
      const timer = this.#time.set(this.#ackTimeoutMs, () => this.#expire(messageId))
      const entry = { started: this.#time.now(), written: false, answer: null, timer, resolve, reject }
      this.#pending.set(messageId, entry)
      this.#transmit(messageId, address, text).then(() => this.#written(messageId, entry), error => this.#failed(messageId, entry, error))
    })
  }

  /** The server's answer, as it came. An answer to what this connection did not send is nobody's. */
  acknowledged({ messageId, error }) {
    const entry = this.#pending.get(messageId)
    if (entry) {
      entry.answer ??= { error, at: this.#clock(), ms: this.#time.now() - entry.started }
      this.#settle(messageId, entry)
    } else if (this.#late.has(messageId)) {
      const ms = this.#time.now() - this.#late.get(messageId)
      this.#late.delete(messageId)
      this.#on.ack({ messageId, error, ms })
    }
  }

  /** The connection is over: what is not answered never will be here. */
  close() {
    this.#closed = true
    for (const [messageId, entry] of this.#pending) this.#end(messageId, entry, new ProtocolError('closed', 'the connection ended before the answer'))
    this.#late.clear()
  }

  #written(messageId, entry) {
    if (this.#pending.get(messageId) !== entry) return
    entry.written = true
    this.#on.sent(messageId)
    this.#settle(messageId, entry)
  }

  #settle(messageId, entry) {
    const { written, answer } = entry
    if (!written || !answer) return // both are needed: the server's answer, and our keys on disk
    this.#on.ack({ messageId, error: answer.error, ms: answer.ms })
    const refusal = answer.error === null ? null : new ProtocolError('nack', 'the server refused the message', { error: answer.error })
    this.#end(messageId, entry, refusal, { at: answer.at, ms: answer.ms })
  }

  #failed(messageId, entry, error) {
    if (this.#pending.get(messageId) !== entry) return
    this.#end(messageId, entry, asRefusal(error))
  }

  #expire(messageId) {
    const entry = this.#pending.get(messageId)
    this.#late.set(messageId, entry.started)
    if (this.#late.size > MAX_LATE) this.#late.delete(this.#late.keys().next().value)
    this.#end(messageId, entry, new ProtocolError('ack_timeout', `no answer within ${this.#ackTimeoutMs} ms`))
  }

  #end(messageId, entry, error, value) {
    this.#pending.delete(messageId)
    this.#time.clear(entry.timer)
    if (error) entry.reject(error)
    else entry.resolve(value)
  }
}

/** What a message that was not transmitted is answered with. */
function asRefusal(error) {
  if (error?.code === 'invalid_recipient' || error?.code === 'restricted') return error
  if (isConnectionLoss(error)) return new ProtocolError('closed', 'the connection ended before the message was sent, or its keys were kept')
  return new ProtocolError('internal', 'the message could not be sent', { error: masked(error?.message ?? error) })
}
