// One client connection: frames, handshake, login, and what the server may do to it.
import { decodeBinaryNode, encodeBinaryNode } from '@whiskeysockets/baileys'
import { Device } from './accounts.mjs'
import { applyAtHello } from './faults.mjs'
import { answerIq } from './iq.mjs'
import { ServerNoise, frame } from './noise.mjs'
import { SERVER, lidJid, node, unixSeconds } from './stanza.mjs'

const CLOSE_DELAY_MS = 20 // the client reads the last stanza first
const OPEN = 1 // WebSocket.OPEN

const OUTDATED = 405

/** Whether a client's version is below the least one that is accepted, if there is one. */
function isOlder(version, least) {
  if (least === null) return false
  const [have, need] = [version, least].map(text => text.split('.').map(Number))
  const at = have.findIndex((part, index) => part !== need[index])
  return at >= 0 && have[at] < need[at]
}

export class Connection {
  state = 'hello' // hello, finish, pairing, welcome, open, refused, hung, closed
  account = null
  device = null
  noiseKey = null
  version = null
  pushName = null
  lastPing = null
  silent = false
  deaf = false
  held = false // logged in, and not told so
  since = Date.now()
  handed = new Set() // keys of kept stanzas that were sent on this connection
  #lab
  #ws
  #socket
  #rule
  #noise
  #claimed = null // "user:device" that the client logged in as, also when refused
  #turn = Promise.resolve()
  #timers = new Set()
  #results = new Map() // id of an iq that we sent -> what to do with the answer

  constructor(lab, id, ws, socket, rule) {
    this.id = id
    this.#lab = lab
    this.#ws = ws
    this.#socket = socket
    this.#rule = rule
    this.#noise = new ServerNoise(lab.identity)
    ws.on('message', data => {
      this.#turn = this.#turn.then(() => this.#receive(data)).catch(error => this.#crash(error))
    })
    ws.on('error', error => lab.journal.add('socket_error', { ...this.who, error: error.code ?? error.message }))
    ws.on('close', code => this.#closed(code))
  }

  get name() { return this.#claimed ?? this.id }
  get who() { return { conn: this.id, account: this.account?.user ?? null, device: this.device?.id ?? null } }
  get policy() { return this.#lab.accounts.policyOf(this.account) }
  /** Whether inbound stanzas may be handed over now. */
  get listening() { return this.state === 'open' && !this.deaf && !this.policy.deaf }

  // ---- sending

  send(stanza) {
    const { latencyMs } = this.policy
    if (latencyMs > 0) this.later(latencyMs, () => this.#write(stanza))
    else this.#write(stanza)
  }

  /** Send an `iq` and have its answer handled. */
  query(stanza, handle) {
    this.#results.set(stanza.attrs.id, handle)
    this.send(stanza)
  }

  /** Send a stanza that is kept until the client settles it. */
  handOver(key, stanza) {
    this.handed.add(key)
    this.send(stanza)
  }

  /** The client acknowledged it. */
  settle(key) {
    this.handed.delete(key)
    this.device.pending.delete(key)
  }

  /** Bytes as they are, past the cipher. */
  raw(data) { if (this.#ws.readyState === OPEN) this.#ws.send(data) }

  #write(stanza) {
    if (this.silent || this.#ws.readyState !== OPEN) return
    this.#lab.stats.stanzasOut++
    this.#ws.send(frame(this.#noise.encrypt(encodeBinaryNode(stanza))))
  }

  /** Run after `ms`, unless the connection is gone by then. */
  later(ms, work) {
    const timer = setTimeout(() => { this.#timers.delete(timer); work() }, ms)
    this.#timers.add(timer)
  }

  // ---- ending

  streamError({ code, child, childAttrs = {}, close = true }) {
    const attrs = code === undefined ? {} : { code: String(code) }
    this.send(node('stream:error', attrs, child ? [node(child, childAttrs)] : undefined))
    if (close) this.#closeSoon()
  }

  fail(reason, attrs = {}) {
    this.send(node('failure', { reason: String(reason), location: 'lab', ...attrs }))
    this.#closeSoon()
  }

  #closeSoon() { this.later(CLOSE_DELAY_MS + this.policy.latencyMs, () => this.close(1000)) }
  close(code, reason) { this.#ws.close(code, reason) }
  fin() { this.#socket.end() } // TCP FIN, no WebSocket close frame
  reset() { this.#socket.resetAndDestroy() }
  hang() { this.state = 'hung' }

  /** Neither answer nor push; with `pause` not even read, as a peer behind a dead NAT entry. */
  setSilent(on, pause) {
    this.silent = on
    if (on && pause) this.#socket.pause()
    if (!on) this.#socket.resume()
  }

  /** Acks and pings go on, inbound stanzas are kept. Hearing again hands them over. */
  setDeaf(on) {
    this.deaf = on
    if (!on) this.#lab.router.flush(this)
  }

  // ---- receiving

  async #receive(data) {
    for (const payload of this.#noise.frames(data)) {
      if (this.state === 'hello') this.#hello(payload)
      else if (this.state === 'finish') this.#finish(payload)
      else if (this.state !== 'hung') await this.#stanza(await decodeBinaryNode(this.#noise.decrypt(payload)))
    }
  }

  #hello(payload) {
    this.state = 'finish'
    applyAtHello(this, this.#rule, options => this.raw(frame(this.#noise.hello(payload, options))))
  }

  #finish(payload) {
    const { clientStatic, login } = this.#noise.finish(payload)
    this.#lab.stats.handshakes++
    this.noiseKey = clientStatic
    const { primary, secondary, tertiary } = login.userAgent?.appVersion ?? {}
    this.version = [primary, secondary, tertiary].join('.')
    if (login.devicePairingData) {
      this.state = 'pairing'
      this.#lab.pairing.begin(this, login.devicePairingData)
    } else this.#login(String(login.username), login.device ?? 0)
  }

  async #stanza(stanza) {
    this.#lab.stats.stanzasIn++
    if (this.silent) { // decrypted all the same, so that the cipher's counter stays in step
      this.#lab.journal.add('unheard', { ...this.who, tag: stanza.tag, id: stanza.attrs.id })
      return undefined
    }
    if (stanza.tag === 'iq') return this.#iq(stanza)
    if (stanza.tag === 'presence' && stanza.attrs.name) this.pushName = stanza.attrs.name
    if (!this.device) return undefined
    if (stanza.tag === 'message') return this.#lab.router.message(this, stanza)
    if (stanza.tag === 'receipt') return this.#lab.router.receipt(this, stanza)
    if (stanza.tag === 'ack') return this.#lab.router.clientAck(this, stanza)
    return undefined // ib, chatstate, call: nothing to do
  }

  #iq(stanza) {
    const { type, id } = stanza.attrs
    if (type !== 'result' && type !== 'error') return answerIq(this.#lab, this, stanza)
    const handle = this.#results.get(id)
    this.#results.delete(id)
    return handle?.(stanza)
  }

  // ---- login

  #login(user, deviceId) {
    const { journal, accounts, stats } = this.#lab
    this.#claimed = `${user}:${deviceId}`
    this.account = accounts.get(user)
    const failure = this.account.takeLoginFailure()
    if (failure) return this.#refuse(deviceId, failure.reason, failure.attrs)
    if (isOlder(this.version, this.policy.leastVersion)) return this.#refuse(deviceId, OUTDATED)
    const device = this.#admitted(deviceId)
    if (!device) return this.#refuse(deviceId, 401)
    for (const other of this.#lab.connectionsOf(this.account, device)) { // the newer login wins
      journal.add('replaced', other.who)
      other.streamError({ child: 'conflict', childAttrs: { type: 'replaced' } })
    }
    this.device = device
    this.state = 'welcome'
    stats.logins++
    const routed = this.#noise.routingInfo !== null
    journal.add('login', { ...this.who, version: this.version, routed, offline: device.pending.size })
    this.later(this.policy.loginDelayMs, () => this.#welcome())
    return undefined
  }

  /** The device that may log in with this Noise key, or null. */
  #admitted(deviceId) {
    let device = this.account.devices.get(deviceId)
    if (!device && this.#lab.autoAccept && !this.account.known) {
      device = this.account.add(new Device({ id: deviceId, noiseKey: this.noiseKey }))
    }
    return device && !device.removed && device.noiseKey.equals(this.noiseKey) ? device : null
  }

  #refuse(deviceId, reason, attrs = {}) {
    this.state = 'refused'
    this.#lab.journal.add('login_failure', { ...this.who, device: deviceId, reason: String(reason), attrs })
    this.later(this.policy.loginDelayMs, () => this.fail(reason, attrs))
  }

  /** Tell the client that it is logged in, unless that is held back; then when the policy no longer says so. */
  #welcome() {
    this.held = this.policy.holdLogin
    if (this.held) return
    const { lid } = this.account
    const creation = String(Number(unixSeconds()) - 86400)
    this.send(node('success', { t: unixSeconds(), location: 'lab', props: '27', lid: lidJid(lid, this.device.id), creation }))
    this.send(node('ib', { from: SERVER }, [
      node('edge_routing', {}, [node('routing_info', {}, Buffer.from('lab-edge'))])]))
    this.state = 'open'
    const count = this.#lab.router.flush(this, { offline: true })
    this.send(node('ib', { from: SERVER }, [node('offline', { count: String(count) })]))
  }

  /** Policies changed: what they held back goes out. */
  release() {
    if (this.held) this.#welcome()
    this.#lab.router.flush(this)
  }

  #closed(code) {
    this.state = 'closed'
    this.held = false
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#lab.connectionClosed(this)
    this.#lab.journal.add('closed', { ...this.who, code })
  }

  #crash(error) {
    this.#lab.journal.add('connection_error', { ...this.who, error: String(error?.stack ?? error) })
    this.reset()
  }
}
