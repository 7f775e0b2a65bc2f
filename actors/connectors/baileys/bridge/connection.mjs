// One connection of one session: a Baileys socket from its first byte to its one end.
import { Arrivals } from './arrivals.mjs'
import { classify, ownCause } from './disconnect.mjs'
import { ProtocolError } from './errors.mjs'
import { inNameOf } from './guards.mjs'
import { Hearing } from './hearing.mjs'
import { Heartbeat } from './heartbeat.mjs'
import { masked } from './log.mjs'
import { Route } from './proxy.mjs'
import { ping, removeDevice, requestCode, sendText } from './requests.mjs'
import { Sends } from './sends.mjs'
import { QR_MS, clientVersion, holdWire, openSocket } from './socket.mjs'
import { readCap, readTimelock, restriction } from './standing.mjs'
import { qrLifetime, readAck, readMessage } from './stanzas.mjs'
import { limit } from './timers.mjs'

/** How long the server may take to close after it said why; then we close. */
const FAREWELL_MS = 1000
/** A proxy may take so long to be through, of the time that there is for the whole login. */
const PROXY_MS = 20_000
const PROXY_SHARE = 0.5
/** The account's standing is asked for at most so often, whatever happens. */
const STANDING_PAUSE_MS = 60_000
const NORMAL_CLOSURE = 1000
const RESTRICTED = 463
const LOGGED_OUT = 401
const TIMED_OUT = 408

const nextTurn = () => new Promise(resolve => setImmediate(resolve))

export class Connection {
  #keystore
  #recent
  #options
  #route // the way through the session's proxy, or null
  #on
  #arrivals
  #socket = null // {sock, raw, browser}
  #sends
  #hearing
  #heartbeat
  #cancelLimit = () => {}
  #ended = false
  #open = false
  #paired = false // in this connection
  #codePending = false
  #qrEnd = 0
  #qrCount = 0
  #stanza = null // the stream:error, as it came
  #wsCode = null
  #startedAt = 0
  #standing = { timelock: null, cap: null }
  #askedAt = -Infinity
  #asking = null // timer
  #onEnd = () => {}

  /**
   * `on`: reached (the server has answered), qr, paired, open, closed (once, the last), and heard, rtt, missed, sent, ack, undecryptable, timelock, message_cap, each with its event's
   * fields; message and receipt with a function to call when the host has stored it, and they give one to forget it. `session` names the owner in logs; `recent` outlives the connection; `proxy` is what readProxy gives.
   */
  constructor({ session, keystore, recent, options, proxy = null, on }) {
    this.session = session
    this.#keystore = keystore
    this.#recent = recent
    this.#options = options
    this.#route = proxy && new Route(proxy.url, Math.min(PROXY_MS, options.openDeadlineMs * PROXY_SHARE))
    this.#on = on
    this.#sends = new Sends({ transmit: (...message) => this.#transmit(...message), on: { sent: on.sent, ack: fields => this.#acked(fields) }, ackTimeoutMs: options.ackTimeoutMs })
    this.#arrivals = new Arrivals(keystore, { message: on.message, receipt: on.receipt, wanted: id => recent.find(id), backlog: () => this.end(ownCause('backlog', 'more arrived than the host could store')) })
    this.#hearing = new Hearing(() => { if (!this.#ended) on.heard() })
    this.#heartbeat = new Heartbeat({
      ping: answered => ping(this.#socket.sock, answered),
      on: { rtt: on.rtt, missed: () => { on.missed(); this.end(ownCause('heartbeat', 'a heartbeat was not answered', { code: TIMED_OUT })) } },
      intervalMs: options.heartbeatMs,
      timeoutMs: options.heartbeatTimeoutMs
    })
  }

  get isOpen() { return this.#open && !this.#ended }

  /** Begin to connect. */
  start() {
    inNameOf(this, () => this.#connect())
  }

  /** An error that nobody caught came from this connection. */
  fault(error) {
    this.end(ownCause('error', masked(error?.message ?? error), { data: { uncaught: String(error?.name ?? 'Error') } }))
  }

  /** End the connection; the first cause counts. `closed` follows when nothing is on its way to the vault any more. */
  end(cause) {
    if (this.#ended) return
    this.#ended = true
    this.#cancelLimit()
    clearTimeout(this.#asking)
    this.#heartbeat.stop()
    this.#onEnd(cause)
    void inNameOf(this, () => this.#tearDown(cause))
  }

  /** Sends a text; see Sends.send. */
  send(message) {
    if (!this.isOpen) throw new ProtocolError('not_open', 'the connection is not open')
    return this.#sends.send(message)
  }

  /** {code, expiresAt} for the user to type on the phone. Rejects when the server refuses. */
  async pairingCode(phone) {
    if (this.#codePending) throw new ProtocolError('busy', 'a pairing code is being asked for')
    this.#codePending = true
    try {
      const code = await inNameOf(this, () => requestCode(this.#socket, phone))
      return { code, expiresAt: this.#qrEnd }
    } finally {
      this.#codePending = false
    }
  }

  /** Removes the device at the server; resolves when the server has confirmed, and the connection may then be ended. */
  async logout() {
    const ended = new Promise(resolve => { this.#onEnd = resolve })
    const removed = inNameOf(this, () => removeDevice(this.#socket.sock, this.#keystore.creds.me.id))
    const cause = await Promise.race([removed, ended])
    if (cause && cause.code !== LOGGED_OUT) throw new ProtocolError('closed', 'the connection ended before the answer')
  }

  #connect() {
    this.#startedAt = performance.now()
    this.#limitOpening()
    const on = {
      reached: () => this.#on.reached(),
      refused: (status, retryAfter) => this.end(ownCause(`http_${status}`, `the upgrade was answered with ${status}`, { code: status, data: retryAfter ? { retryAfter } : {} })),
      badFrame: error => this.end(ownCause('bad_frame', masked(error?.message ?? error), { code: 500 })),
      closeCode: code => { this.#wsCode = code }
    }
    try {
      const { creds, signalKeys: keys } = this.#keystore
      this.#socket = openSocket({
        creds,
        keys,
        options: this.#options,
        sentText: id => this.#recent.get(id),
        arrivals: this.#arrivals,
        changing: work => this.#keystore.changing(work),
        route: this.#route,
        together: work => this.#keystore.together(work),
        on
      })
    } catch (error) {
      this.end(ownCause('error', masked(error.message)))
      return
    }
    this.#listen(this.#socket.sock)
  }

  #listen({ ev, ws }) {
    ev.on('creds.update', () => this.#saveCreds())
    ev.on('connection.update', update => this.#update(update))
    ev.on('message-capping.update', info => this.#capped(info))
    ev.on('messages.upsert', ({ messages, type }) => this.#inbound(messages, type === 'append'))
    ws.on('CB:iq,type:set,pair-device', stanza => {
      this.#qrEnd = Date.now() + Math.min(qrLifetime(stanza, QR_MS), this.#options.pairingTimeoutMs)
    })
    ws.on('frame', stanza => this.#hearing.take(stanza))
    // Baileys says nothing of a good acknowledgement.
    ws.on('CB:ack,class:message', stanza => this.#sends.acknowledged(readAck(stanza)))
    ws.on('CB:stream:error', stanza => { this.#stanza = stanza })
    for (const name of ['CB:stream:error', 'CB:failure', 'CB:xmlstreamend', 'CB:ib,,downgrade_webclient']) ws.on(name, () => this.#farewell())
  }

  #update({ qr, connection, lastDisconnect, reachoutTimeLock }) {
    if (connection === 'close') this.end(classify(lastDisconnect?.error, { stanza: this.#stanza, wsCode: this.#wsCode }))
    if (this.#ended) return
    if (qr && !this.#paired) this.#showQr(qr)
    if (connection === 'open') void this.#opened()
    if (reachoutTimeLock) this.#restricted(reachoutTimeLock)
  }

  #showQr(qr) {
    const first = this.#qrCount++ === 0
    if (first) this.#limit(this.#options.pairingTimeoutMs, 'pairing_expired', 'not paired in time')
    this.#on.qr({ qr, expiresAt: Math.min(this.#qrEnd, Date.now() + (first ? QR_MS.first : QR_MS.next)) })
  }

  #saveCreds() {
    const { creds, paired } = this.#keystore
    const saved = this.#keystore.saveCreds()
    saved.catch(() => {}) // the keystore has told of it
    if (paired || !this.#keystore.paired) return
    this.#paired = true
    // The server takes the device for paired when it has our answer: not before we can prove it after a crash.
    holdWire(this.#socket.raw, saved)
    this.#limitOpening()
    saved.then(() => this.#on.paired({ me: creds.me.id }), () => {})
  }

  async #opened() {
    this.#cancelLimit()
    const loginMs = Math.round(performance.now() - this.#startedAt)
    await this.#keystore.drained()
    if (this.#ended) return
    this.#open = true
    this.#heartbeat.start()
    this.#on.open({ me: this.#keystore.creds.me.id, version: clientVersion(this.#options), loginMs })
    this.#hearing.open()
    this.#askStanding()
  }

  #limitOpening() {
    this.#limit(this.#options.openDeadlineMs, 'open_deadline', 'not open in time')
  }

  #limit(ms, reason, message) {
    this.#cancelLimit()
    this.#cancelLimit = limit(ms, () => this.end(ownCause(reason, message, { code: TIMED_OUT })))
  }

  /** The server said why it will close; if it does not, Baileys would wait for it for half a minute. */
  #farewell() {
    const timer = setTimeout(() => this.#socket.raw.terminate(), FAREWELL_MS)
    this.#socket.raw.once('close', () => clearTimeout(timer))
  }

  async #transmit(messageId, to, text) {
    this.#recent.add(messageId, text)
    await inNameOf(this, () => sendText(this.#socket.sock, { messageId, to, text }, () => restriction(this.#standing, Date.now())))
  }

  #acked(fields) {
    this.#on.ack(fields)
    if (fields.error === RESTRICTED) this.#askStanding()
  }

  /** What could not be decrypted, and what came without a decryption of its own: the phone sends it on demand. */
  #inbound(messages, offline) {
    if (this.#ended) return
    for (const message of messages) {
      const found = readMessage(message)
      if (!found || this.#arrivals.isTold(message.key)) continue
      const { kind, ...fields } = found
      if (kind === 'message') this.#on.message({ ...fields, offline })
      else this.#on.undecryptable(fields)
    }
  }

  /** Asks what the account may do, and again after a while: an answer is a help, not a need. */
  #askStanding() {
    clearTimeout(this.#asking)
    this.#asking = setTimeout(() => inNameOf(this, () => this.#askStanding()), this.#options.standingMs)
    const now = performance.now()
    if (now - this.#askedAt < STANDING_PAUSE_MS && now - this.#askedAt < this.#options.standingMs) return
    this.#askedAt = now
    const { sock } = this.#socket
    sock.fetchAccountReachoutTimelock().catch(() => {}) // comes as a connection.update
    sock.fetchNewChatMessageCap().then(info => this.#capped(info), () => {})
  }

  #restricted(answer) {
    const timelock = readTimelock(answer)
    const news = timelock.active || this.#standing.timelock?.active
    this.#standing.timelock = timelock
    if (news && !this.#ended) this.#on.timelock(timelock)
  }

  #capped(answer) {
    const cap = readCap(answer)
    if (!cap || this.#ended) return
    this.#standing.cap = cap
    this.#on.message_cap(cap)
  }

  async #tearDown(cause) {
    if (this.#socket) await this.#disconnect(this.#socket, cause.reason === 'closed_by_us')
    this.#route?.close()
    this.#arrivals.close()
    await nextTurn() // sends whose node is written hand in their keys now
    this.#keystore.seal()
    await this.#keystore.drained()
    this.#sends.close()
    this.#on.closed(cause)
  }

  async #disconnect({ sock, raw }, politely) {
    const gone = new Promise(resolve => (raw.readyState === raw.CLOSED ? resolve() : raw.once('close', resolve)))
    if (politely && raw.readyState === raw.OPEN) raw.close(NORMAL_CLOSURE)
    else raw.terminate()
    sock.end(undefined).catch(() => {})
    const timer = setTimeout(() => raw.terminate(), FAREWELL_MS)
    await gone
    clearTimeout(timer)
    // Baileys takes away the listeners of queries that wait for an answer: without this they would wait out a minute.
    sock.ws.emit('error', new ProtocolError('closed', 'the connection is over'))
  }
}
