// The connector's own socket: who may say what on which link.
import { setTimeout as sleep } from 'node:timers/promises'
import { ProtocolError } from './errors.mjs'
import { describe, log } from './log.mjs'
import { BadStart, CONNECTOR, PROTOCOL, readAdmission, readOptions } from './options.mjs'
import { Peer, Reply } from './peer.mjs'
import { readProxy } from './proxy.mjs'
import { Session } from './session.mjs'
import { monotonic } from './timers.mjs'

const CAPABILITIES = ['qr', 'pairing-code', 'text', 'stored', 'admit', 'proxy']
const SESSION_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/
/** Sessions that one process serves at most, and knows; 32 are what it is made for. */
export const MAX_SESSIONS = 128

export class Links {
  #shared
  #sessions = new Map() // id -> Session, the one greeted last is the last
  #stats
  #onHostGone
  #version
  #hasHost = false

  /** `shared` is what sessions get, and gets `tellHost` here; `stats()` is the answer to that command but for the sessions. */
  constructor({ shared, stats, version, onHostGone }) {
    this.#shared = shared
    this.#stats = stats
    this.#version = version
    this.#onHostGone = onHostGone
    shared.host = null
    shared.tellHost = (name, fields) => shared.host?.event(name, fields)
  }

  /** Take a new connection to the socket. */
  accept(socket) {
    const link = { role: null, session: null }
    new Peer(socket, {
      onRequest: (message, peer) => this.#answer(link, message, peer),
      onOther: peer => { if (link.role === null) cutBeforeHello(peer) },
      onEnd: peer => this.#ended(link, peer)
    })
  }

  /** Close all connections; resolves when nothing is on its way to the vault any more. */
  async closeAll() {
    await Promise.allSettled([...this.#sessions.values()].map(session => session.close()))
  }

  #ended(link, peer) {
    if (link.role === 'session') link.session?.detach(peer)
    if (link.role === 'host') this.#onHostGone()
  }

  #answer(link, message, peer) {
    if (link.role === null) {
      if (message.cmd !== 'hello') {
        cutBeforeHello(peer)
        return undefined
      }
      return this.#hello(link, message, peer)
    }
    const commands = link.role === 'host' ? HOST : SESSION
    const command = Object.hasOwn(commands, message.cmd) ? commands[message.cmd] : null
    if (!command) throw new ProtocolError('unknown_command', `no command ${message.cmd.slice(0, 40)} on a link of this role`)
    return link.role === 'host' ? command(this, message) : command(this.#sessionOf(link), message)
  }

  #sessionOf(link) {
    if (!link.session) throw new ProtocolError('bad_request', 'wait for the answer to hello')
    return link.session
  }

  #hello(link, { protocol, role, session, generation }, peer) {
    if (protocol !== PROTOCOL) throw new ProtocolError('unsupported_protocol', `this connector speaks protocol ${PROTOCOL}`)
    if (role === 'host') return this.#hostHello(link, peer)
    if (role === 'session') return this.#sessionHello(link, peer, { id: session, generation })
    throw new ProtocolError('bad_request', 'role must be host or session')
  }

  #hostHello(link, peer) {
    if (this.#hasHost) throw new ProtocolError('busy', 'there is a host')
    link.role = 'host'
    this.#hasHost = true
    return new Reply(() => this.#identity(), () => { // no event comes before the answer
      this.#shared.host = peer
      this.#shared.kept.attach((name, fields) => peer.event(name, fields))
    })
  }

  async #sessionHello(link, peer, { id, generation }) {
    if (typeof id !== 'string' || !SESSION_ID.test(id)) throw new ProtocolError('bad_request', 'session must match [a-z0-9][a-z0-9_-]{0,62}')
    if (!Number.isSafeInteger(generation) || generation < 1) throw new ProtocolError('bad_request', 'generation must be a whole number, 1 or more')
    link.role = 'session'
    try {
      const session = this.#session(id)
      const adopted = await session.claim(generation)
      return new Reply(
        () => ({ ...this.#identity(), adopted, state: session.state }),
        () => {
          link.session = session
          session.attach(peer)
        }
      )
    } catch (error) {
      link.role = null // it may try again
      throw error
    }
  }

  #session(id) {
    const known = this.#sessions.get(id)
    if (known) this.#sessions.delete(id)
    else if (this.#sessions.size >= MAX_SESSIONS) this.#forgetOne()
    const session = known ?? new Session(id, this.#shared)
    this.#sessions.set(id, session)
    return session
  }

  /** Sessions are deleted, or move away, and nobody says so. What is lost with one is a `closed` that nobody saw, so those go last; older generations the vault refuses as well. */
  #forgetOne() {
    const gone = [...this.#sessions.values()].filter(({ isGone }) => isGone)
    const least = gone.find(({ isUnheard }) => !isUnheard) ?? gone[0]
    if (!least) throw new ProtocolError('limit', `${MAX_SESSIONS} sessions are served here`)
    this.#sessions.delete(least.id)
  }

  #identity() {
    return { protocol: PROTOCOL, connector: CONNECTOR, version: this.#version, pid: process.pid, capabilities: CAPABILITIES }
  }

  // Commands on the host's link

  send({ session: id, messageId, to, text }) {
    return this.#known(id).send({ messageId, to, text })
  }

  text({ session: id, messageId, text }) {
    if (typeof messageId !== 'string' || (text !== null && typeof text !== 'string')) throw new ProtocolError('bad_request', 'messageId must be a text, text a text or null')
    this.#known(id).told(messageId, text)
    return {}
  }

  #known(id) {
    const session = this.#sessions.get(id)
    if (!session) throw new ProtocolError('unknown_session', 'no link for this session has been here')
    return session
  }

  stored({ upto }) {
    this.#shared.kept.stored(upto)
    return {}
  }

  admission(message) {
    this.#shared.gate.configure(read(readAdmission, message))
    return {}
  }

  /** The host lets a session's connection begin between `at` and `by` (milliseconds of CLOCK_MONOTONIC). */
  async admit({ session: id, at, by }) {
    if (![at, by].every(Number.isFinite)) throw new ProtocolError('bad_request', 'at and by are milliseconds of CLOCK_MONOTONIC')
    const session = this.#sessions.get(id)
    if (!session) throw new ProtocolError('unknown_session', 'no link for this session has been here')
    await session.prepare() // what takes its time is done before the moment comes
    while (at > monotonic()) await sleep(Math.ceil(at - monotonic())) // timers may be a little early
    if (monotonic() > by) throw new ProtocolError('late', 'the moment at which it might have begun is over')
    const start = this.#shared.gate.admit(id)
    if (!start) throw new ProtocolError('not_queued', `the connection is ${session.phase}`)
    return new Reply(() => ({}), start)
  }

  /** For the connections to come; the root key counts at the start of the process only. */
  options({ options }) {
    this.#shared.options = { ...read(readOptions, options), noiseRootKey: this.#shared.options.noiseRootKey }
    return {}
  }

  stats() {
    const counts = { idle: 0, queued: 0, connecting: 0, pairing: 0, open: 0, ...this.#shared.counts }
    for (const { phase } of this.#sessions.values()) counts[phase]++
    return { ...this.#stats(), sessions: this.#sessions.size, counts }
  }
}

function read(reader, values) {
  try {
    return reader(values)
  } catch (error) {
    throw error instanceof BadStart ? new ProtocolError('bad_request', error.message) : error
  }
}

function cutBeforeHello(peer) {
  log('warning', 'link_cut', { error: 'the first frame is not hello' })
  peer.destroy()
}

const HOST = {
  send: (links, message) => links.send(message),
  text: (links, message) => links.text(message),
  stored: (links, message) => links.stored(message),
  ping: () => ({}),
  admission: (links, message) => links.admission(message),
  admit: (links, message) => links.admit(message),
  options: (links, message) => links.options(message),
  stats: links => links.stats()
}

const SESSION = {
  open: (session, { proxy }) => new Reply(() => ({}), session.open(readProxy(proxy))), // the answer first, then the events
  close: session => session.close(),
  logout: session => session.logout(),
  pairing_code: (session, { phone }) => session.pairingCode(phone),
  reset_auth: session => session.resetAuth(),
  status: session => session.state
}
