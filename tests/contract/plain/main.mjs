// A connector in plain Node.js, written from docs/connector-protocol.md alone: no packages, nothing of the bridge's code. Its server
// is in the process. The contract suite holds it to the protocol as it does every other connector.
import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { Gate } from './gate.mjs'
import { Host } from './host.mjs'
import { Link, Refusal } from './link.mjs'
import { Session } from './session.mjs'
import { Vault } from './vault.mjs'
import { World } from './world.mjs'

const PROTOCOL = 1
const VERSION = '1'
const HELLO_MS = 10_000
const SESSION_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/
const SESSION_COMMANDS = new Set(['open', 'close', 'logout', 'pairing_code', 'reset_auth', 'status'])

let start
const shared = { host: new Host(), world: new World(), gate: null, vault: null, options: null }
const sessions = new Map()
let worstLag = 0

function identity() {
  return { protocol: PROTOCOL, connector: start.connector, version: VERSION, pid: process.pid, capabilities: ['qr', 'pairing-code', 'text', 'stored', 'quality'] }
}

function accept(socket) {
  let role = null
  let session = null
  const hurry = setTimeout(() => link.cut(), HELLO_MS)
  const link = new Link(socket, {
    onRequest: async request => {
      if (role === null) {
        if (request.cmd !== 'hello') return link.cut()
        clearTimeout(hurry)
        return hello(request)
      }
      if (role === 'host') return hostCommand(request)
      if (!SESSION_COMMANDS.has(request.cmd)) throw new Refusal('unknown_command', `not a command of a session's link: ${request.cmd}`)
      if (session === null) throw new Refusal('bad_request', 'wait for the answer to hello')
      return session[request.cmd](request)
    },
    onEnd: () => {
      clearTimeout(hurry)
      if (role === 'host') process.exit(0)
      session?.detach(link)
    }
  })

  async function hello(request) {
    if (request.protocol !== PROTOCOL) throw new Refusal('unsupported_protocol', `this is protocol ${PROTOCOL}`)
    if (request.role === 'host') {
      if (shared.host.link) throw new Refusal('busy', 'there is a host')
      role = 'host'
      return () => [identity(), () => shared.host.attach(link)]
    }
    if (request.role !== 'session') throw new Refusal('bad_request', 'role: host or session')
    if (typeof request.session !== 'string' || !SESSION_ID.test(request.session)) throw new Refusal('bad_request', 'session: an id')
    if (!Number.isSafeInteger(request.generation) || request.generation < 1) throw new Refusal('bad_request', 'generation: 1 or more')
    const known = sessions.get(request.session) ?? new Session(request.session, shared)
    sessions.set(request.session, known)
    role = 'session'
    try {
      const paired = await known.auth.claim(request.generation)
      if (!known.connection) known.paired = paired
    } catch (error) {
      role = null
      throw error
    }
    return () => [{ ...identity(), adopted: known.connection !== null, state: known.state }, () => {
      session = known
      if (link.closed) return
      known.attach(link)
    }]
  }
}

const HOST_COMMANDS = {
  send({ session, messageId, to, text }) {
    const it = known(session)
    if (typeof messageId !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(messageId)) throw new Refusal('bad_request', 'messageId')
    if (typeof text !== 'string' || text === '') throw new Refusal('bad_request', 'text')
    if ([...text].length > 65_536) throw new Refusal('limit', 'the text is longer than 65536 characters')
    const phone = typeof to === 'string' && (/^\+?(\d{5,15})$/.exec(to) ?? /^(\d{5,20})@(?:s\.whatsapp\.net|lid)$/.exec(to))
    if (!phone) throw new Refusal('invalid_recipient', 'to: a phone number or an address')
    return it.opened().send({ messageId, to: phone[1], text })
  },
  ping: () => ({}),
  stored({ upto }) {
    if (!Number.isSafeInteger(upto) || upto < 0 || upto > shared.host.told) throw new Refusal('bad_request', `upto: at most ${shared.host.told}`)
    shared.host.stored(upto)
    return {}
  },
  admission(bounds) {
    shared.gate.configure(readAdmission(bounds))
    return {}
  },
  options({ options }) {
    shared.options = readOptions(options)
    return {}
  },
  stats() {
    const counts = { idle: 0, queued: 0, connecting: 0, pairing: 0, open: 0 }
    for (const { phase } of sessions.values()) counts[phase]++
    const { user, system } = process.cpuUsage()
    const lagMs = worstLag
    worstLag = 0
    return { rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000, sessions: sessions.size, lagMs, counts }
  },
  // What the test does as the phone and as the server.
  world({ session, deed, phone, qr, code, error, rating }) {
    const { connection } = known(session)
    if (deed === 'scan') connection.scan(qr, phone)
    else if (deed === 'enter_code') connection.enterCode(code)
    else if (deed === 'cut') connection.end({ code: 428, reason: 'network', message: 'Connection Terminated' })
    else if (deed === 'refuse') shared.world.phone(phone).refuses = error
    else if (deed === 'fall_silent') connection.silent = true
    else if (deed === 'unlink') connection.unlink()
    else if (deed === 'rate') shared.world.rate(phone, rating)
    else throw new Refusal('bad_request', `deed: ${deed}`)
    return {}
  }
}

function hostCommand(request) {
  const command = Object.hasOwn(HOST_COMMANDS, request.cmd) ? HOST_COMMANDS[request.cmd] : null
  if (!command) throw new Refusal('unknown_command', `not a command of the host's link: ${request.cmd}`)
  return command(request)
}

function known(id) {
  const session = sessions.get(id)
  if (!session) throw new Refusal('unknown_session', 'no link of that session was here')
  return session
}

function readAdmission({ connectsPerSecond, burst, pairings }) {
  if (!Number.isFinite(connectsPerSecond) || connectsPerSecond < 0) throw new Refusal('bad_request', 'connectsPerSecond: a number, 0 or more')
  if (!Number.isSafeInteger(burst) || burst < 1) throw new Refusal('bad_request', 'burst: 1 or more')
  if (!Number.isSafeInteger(pairings) || pairings < 0) throw new Refusal('bad_request', 'pairings: 0 or more')
  return { connectsPerSecond, burst, pairings }
}

const DEFAULTS = { heartbeatMs: 10_000, heartbeatTimeoutMs: 8000, openDeadlineMs: 45_000, ackTimeoutMs: 60_000 }

function readOptions(values) {
  if (values === null || typeof values !== 'object' || Array.isArray(values)) throw new Refusal('bad_request', 'options: a map')
  const options = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS)) {
    const value = values[name]
    if (value === undefined || value === null) continue
    if (!Number.isFinite(value) || value < 1) throw new Refusal('bad_request', `${name}: milliseconds, 1 or more`)
    options[name] = value
  }
  options.phones = values.phones ?? {} // its own: session -> the phone that scans whatever QR it shows
  return options
}

function begin(line) {
  try {
    start = JSON.parse(line)
    if (start.protocol !== PROTOCOL) throw new Error(`protocol ${start.protocol} is not spoken here, ${PROTOCOL} is`)
    shared.options = readOptions(start.options)
    shared.gate = new Gate(readAdmission(start.admission))
  } catch (error) {
    process.stderr.write(`${JSON.stringify({ level: 'error', event: 'bad_start', error: error.message })}\n`)
    process.exit(2)
  }
  shared.vault = new Vault(start.vault)
  rmSync(start.socket, { force: true })
  process.umask(0o177)
  createServer(accept).listen(start.socket, () => {
    chmodSync(start.socket, 0o600)
    process.stdout.write(`${JSON.stringify({ ready: true, protocol: PROTOCOL, connector: start.connector, version: VERSION, pid: process.pid })}\n`)
  })
}

let due = Date.now() + 500
setInterval(() => {
  worstLag = Math.max(worstLag, Date.now() - due)
  due = Date.now() + 500
}, 500)

let head = ''
process.stdin.on('data', chunk => {
  if (start) return
  head += chunk
  const end = head.indexOf('\n')
  if (end >= 0) begin(head.slice(0, end))
})
process.stdin.on('end', () => process.exit(0))
