// The way out of a connection that goes through a proxy: HTTP CONNECT (RFC 9110, 9.3.6) or SOCKS5 (RFC 1928). There is no other way
// beside it: what can't go through fails. The proxy looks up the names of servers, here only its own is looked up.
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import tls from 'node:tls'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { ProtocolError } from './errors.mjs'
import { inNobodysName } from './guards.mjs'
import { limit } from './timers.mjs'

const require = createRequire(import.meta.url) // what only sessions with a proxy need is loaded with the first of them

/** scheme -> port where the URL has none */
const PORTS = { 'http:': 80, 'https:': 443, 'socks5:': 1080, 'socks5h:': 1080 }
const ID = /^[\x21-\x7e]{1,128}$/
const SOCKS = 5
const AUTH_REQUIRED = 407
/** A dial is ended by its own limit; that of `socks` comes after it, of so many of the same, and is never cleared: it ends by running out. */
const AFTER = 2

/** The proxy failed, not the server behind it. `data` is that of the closed event; nothing in it, or in the message, is of the proxy's URL. */
export class ProxyError extends Error {
  name = 'ProxyError'

  constructor(why, message, data = {}) {
    super(message)
    this.data = { proxy: why, ...data }
  }
}

/** {id, url} of the field `proxy` of `open`, or null. Throws `bad_request`, which never repeats the URL. */
export function readProxy(value) {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object' || typeof value.id !== 'string' || !ID.test(value.id)) throw new ProtocolError('bad_request', 'proxy.id: expected 1 to 128 printable characters')
  const url = URL.canParse(value.url) ? new URL(value.url) : null
  if (!url?.hostname || !Object.hasOwn(PORTS, url.protocol) || !isReadable(url.username) || !isReadable(url.password)) throw new ProtocolError('bad_request', 'proxy.url: expected http://, https://, socks5:// or socks5h:// and a host')
  return { id: value.id, url }
}

/** All that leaves for one connection, through one proxy. */
export class Route {
  #url
  #timeoutMs
  #over = new AbortController()
  #dispatcher = null

  /** `timeoutMs`: how long the proxy may take to be through. */
  constructor(url, timeoutMs) {
    this.#url = url
    this.#timeoutMs = timeoutMs
  }

  /** An agent for `node:http`, or for `node:https` if `secure`. */
  agent(secure) {
    return new (secure ? SecureAgent : PlainAgent)((host, port) => this.#dial(host, port))
  }

  /** A dispatcher for `fetch`. */
  get dispatcher() {
    if (this.#over.signal.aborted) throw new ProxyError('closed', 'the connection is over')
    if (!this.#dispatcher) {
      const { Agent, buildConnector } = require('undici')
      const upgrade = buildConnector({ timeout: this.#timeoutMs })
      this.#dispatcher = new Agent({
        connect: (options, done) => void this.#dial(options.hostname, options.port || PORTS[options.protocol]).then(
          socket => (options.protocol === 'https:' ? upgrade({ ...options, httpSocket: socket }, done) : done(null, socket)), done)
      })
    }
    return this.#dispatcher
  }

  /** Ends what is on its way. */
  close() {
    this.#over.abort()
    this.#dispatcher?.destroy().catch(() => {})
  }

  async #dial(host, port) {
    const dialing = new AbortController() // of this attempt alone: what it led to outlives it
    const stop = () => dialing.abort()
    if (this.#over.signal.aborted) stop()
    this.#over.signal.addEventListener('abort', stop)
    let late = false
    const cancelLimit = limit(this.#timeoutMs, () => { late = true; stop() })
    const to = { host: bare(host), port: Number(port) }
    try {
      return await (this.#url.protocol.startsWith('socks') ? overSocks : overConnect)(this.#url, to, dialing.signal, this.#timeoutMs)
    } catch (error) {
      if (late) throw new ProxyError('timeout', 'the proxy did not answer in time')
      if (error instanceof ProxyError) throw error
      const code = typeof error?.code === 'string' ? error.code : ''
      throw new ProxyError('unreachable', `the proxy could not be reached${code && `: ${code}`}`, code ? { errno: code } : {})
    } finally {
      cancelLimit()
      this.#over.signal.removeEventListener('abort', stop)
    }
  }
}

class PlainAgent extends http.Agent {
  #dial

  constructor(dial) {
    super()
    this.#dial = dial
  }

  createConnection({ host, port }, done) {
    this.#dial(host, port).then(socket => done(null, socket), done)
  }
}

class SecureAgent extends https.Agent {
  #dial

  constructor(dial) {
    super()
    this.#dial = dial
  }

  createConnection(options, done) {
    this.#dial(options.host, options.port).then(socket => done(null, tls.connect({ ALPNProtocols: ['http/1.1'], ...options, socket })), done)
  }
}

function overConnect(url, { host, port }, signal) {
  const to = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`
  const login = credentials(url)
  const headers = { host: to, ...(login && { 'proxy-authorization': `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}` }) }
  const request = (url.protocol === 'https:' ? https : http).request({
    method: 'CONNECT', path: to, host: bare(url.hostname), port: portOf(url), headers, agent: false, signal
  })
  return new Promise((resolve, reject) => {
    request.once('connect', ({ statusCode }, socket, head) => {
      if (statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
        return
      }
      socket.destroy()
      const status = String(statusCode)
      if (statusCode === AUTH_REQUIRED) reject(new ProxyError('auth', 'the proxy refused the user name or password (HTTP 407)', { status }))
      else reject(new ProxyError('refused', `the proxy refused to connect to the server (HTTP ${status})`, { status }))
    })
    request.once('error', reject)
    request.end()
  })
}

async function overSocks(url, destination, signal, timeoutMs) {
  const { SocksClient } = require('socks')
  const proxy = { host: bare(url.hostname), port: portOf(url), type: SOCKS }
  const login = credentials(url)
  const socket = net.connect({ host: proxy.host, port: proxy.port, signal })
  await once(socket, 'connect')
  try {
    // in nobody's name: its timer is left over, and would keep the connection and its keys with it
    await inNobodysName(() => SocksClient.createConnection({
      proxy: { ...proxy, ...(login && { userId: login.user, password: login.password }) },
      command: 'connect', destination, existing_socket: socket, timeout: AFTER * timeoutMs
    }))
  } catch (error) {
    socket.destroy()
    throw socksError(String(error?.message))
  }
  return socket
}

/** Of an error of `socks`, which holds the password beside its message. */
function socksError(message) {
  if (/timed out/i.test(message)) return new ProxyError('timeout', 'the proxy did not answer in time')
  if (/auth/i.test(message)) return new ProxyError('auth', 'the proxy refused the user name or password')
  const [, reply] = /^Socks5 proxy rejected connection - (\w+)$/.exec(message) ?? []
  if (reply) return new ProxyError('refused', `the proxy refused to connect to the server: ${reply}`, { reply })
  return new ProxyError('refused', 'the proxy ended the connection, or is no SOCKS5 proxy')
}

function credentials({ username, password }) {
  return username || password ? { user: decodeURIComponent(username), password: decodeURIComponent(password) } : null
}

function isReadable(encoded) {
  try {
    return decodeURIComponent(encoded).length >= 0
  } catch {
    return false
  }
}

function portOf(url) {
  return Number(url.port) || PORTS[url.protocol]
}

/** A host of a URL without the brackets of IPv6. */
function bare(host) {
  return host.replace(/^\[|\]$/g, '')
}
