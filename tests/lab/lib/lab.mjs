// The server: listens, accepts connections, and holds the parts together.
import http from 'node:http'
import { WebSocketServer } from 'ws'
import { Accounts } from './accounts.mjs'
import { Connection } from './connection.mjs'
import { ConnectRules, applyAtUpgrade, applyFault, checkFault } from './faults.mjs'
import { Journal } from './journal.mjs'
import { Router } from './messages.mjs'
import { makeIdentity } from './noise.mjs'
import { Pairing } from './pairing.mjs'
import { node, phoneJid, unixSeconds } from './stanza.mjs'

const HOST = '127.0.0.1'
const BACKLOG = 2048

export class Lab {
  journal = new Journal()
  rules = new ConnectRules()
  router = new Router(this)
  pairing = new Pairing(this)
  stats = { upgrades: 0, handshakes: 0, logins: 0, pings: 0, stanzasIn: 0, stanzasOut: 0, messages: 0, receipts: 0 }
  #connections = new Map()
  #sockets = new Set() // raw sockets, also those that never became a connection
  #timers = new Set()
  #http = null
  #webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 << 20 })
  #ids = 0

  /** `root`: key pair to keep the certificate root over restarts. `autoAccept`: let unknown devices of unknown accounts in. */
  constructor({ port = 0, root, defaults, autoAccept = true } = {}) {
    this.port = port
    this.identity = makeIdentity(root)
    this.accounts = new Accounts(defaults)
    this.autoAccept = autoAccept
  }

  get url() { return `ws://${HOST}:${this.port}/ws/chat` }
  newId(prefix) { return `${prefix}-${++this.#ids}` }

  // ---- listening

  /** Listen, on the same port as before if there was one. */
  async listen() {
    if (this.#http) return this.port
    const server = http.createServer((_request, response) => response.writeHead(426).end())
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    await new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, HOST, BACKLOG, resolve)
    })
    this.#http = server
    this.port = server.address().port
    return this.port
  }

  /** Refuse new connections (ECONNREFUSED); with `kill`, reset the open ones as well. */
  async unlisten({ kill = false } = {}) {
    if (kill) for (const socket of this.#sockets) socket.resetAndDestroy()
    const server = this.#http
    this.#http = null
    if (!server) return
    server.closeIdleConnections()
    server.close() // its callback would wait for the connections that stay open
  }

  async stop() {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    await this.unlisten({ kill: true })
  }

  #upgrade(request, socket, head) {
    const rule = this.rules.take()
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy()) // its WebSocket, when there is one, reports the cause
    this.stats.upgrades++
    this.journal.add('upgrade', { rule: rule?.kind ?? null })
    if (applyAtUpgrade(socket, rule)) return
    this.#webSockets.handleUpgrade(request, socket, head, ws => {
      const connection = new Connection(this, 'c' + ++this.#ids, ws, socket, rule)
      this.#connections.set(connection.id, connection)
    })
  }

  // ---- connections

  connectionClosed(connection) {
    this.#connections.delete(connection.id)
    this.pairing.end(connection)
  }

  /** Connections on which the device is logged in: none or one, two for the moment of a replacement. */
  connectionsOf(account, device) {
    return [...this.#connections.values()].filter(c => c.account === account && c.device === device && c.state !== 'closed')
  }

  /** Selector: "*", a connection id ("c12"), a phone number, or number and device ("15550001:2"). */
  find(selector = '*') {
    const wanted = String(selector)
    return [...this.#connections.values()].filter(c =>
      wanted === '*' || wanted === c.id || wanted === c.name || wanted === c.name.split(':')[0])
  }

  /** Names of the connections that were hit, and when, in milliseconds since 1970. */
  fault(fault) {
    checkFault(fault)
    const hit = this.find(fault.target)
    const names = hit.map(connection => connection.name)
    this.journal.add('fault', { fault: fault.kind, target: fault.target ?? '*', hit: names })
    const at = Date.now()
    for (const connection of hit) applyFault(connection, fault)
    return { hit: names, at }
  }

  /** Run after `ms` unless the lab is stopped first. */
  later(ms, work) {
    const timer = setTimeout(() => { this.#timers.delete(timer); work() }, ms)
    this.#timers.add(timer)
  }

  // ---- accounts

  /** Policies for everybody who has none of their own. */
  setDefaults(policy) {
    const defaults = this.accounts.setDefaults(policy)
    this.#release(policy, '*')
    return defaults
  }

  /** Set a login failure or policy of one account; null takes the failure away. */
  configure(phone, { loginFailure, policy = {} }) {
    const account = this.accounts.get(phone)
    if (loginFailure !== undefined) account.loginFailure = loginFailure && { ...loginFailure }
    this.accounts.setPolicy(account, policy)
    this.#release(policy, account.user)
    return { loginFailure: account.loginFailure, policy: account.policy }
  }

  /** Hearing again hands over what is kept, answering again logs in who waits. */
  #release({ deaf, holdLogin }, target) {
    if (deaf === false || holdLogin === false) for (const connection of this.find(target)) connection.release()
  }

  /** The device is no longer linked: 401 now and at each later login. */
  removeDevice(account, device, cause) {
    device.removed = true
    device.pending.clear()
    this.journal.add('unlinked', { account: account.user, device: device.id, cause })
    this.announce(account, device, 'remove')
    for (const connection of this.connectionsOf(account, device)) {
      connection.streamError({ code: 401, child: 'conflict', childAttrs: { type: 'device_removed' } })
    }
  }

  /** Tell those who hold a copy of the account's device list, and its own other devices, of a change. */
  announce(account, device, change) {
    const content = [node(change, { device_hash: '2:lab' }, [node('device', { jid: phoneJid(account.user, device.id), 'key-index': String(device.id) })])]
    const attrs = { from: phoneJid(account.user), type: 'devices', id: this.newId('devices'), t: unixSeconds() }
    for (const watcher of new Set([account, ...account.watchers])) {
      for (const connection of this.find(watcher.user)) {
        if (connection.listening && connection.device !== device) connection.send(node('notification', attrs, content))
      }
    }
  }

  /** Reset every connection, drop rules, policies, login failures and messages; `forget` drops the accounts as well. */
  reset({ forget = false } = {}) {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.rules.set([])
    this.router.log.clear()
    this.accounts.resetPolicies()
    if (forget) this.accounts.forget()
  }

  state() {
    return {
      port: this.port, listening: this.#http !== null, stats: this.stats, rules: this.rules.list(), defaults: this.accounts.defaults,
      connections: [...this.#connections.values()].map(({ id, name, state, silent, deaf, since, lastPing, version }) =>
        ({ id, name, state, silent, deaf, since, lastPing, version })),
      accounts: this.accounts.all().map(account => ({
        phone: account.user, lid: account.lid, sent: account.sent, loginFailure: account.loginFailure, policy: account.policy,
        devices: [...account.devices.values()].map(device => ({
          id: device.id, removed: device.removed, reachable: device.reachable, preKeys: device.preKeys.length,
          pending: device.pending.size, connected: this.connectionsOf(account, device).some(c => c.state === 'open')
        }))
      }))
    }
  }
}
