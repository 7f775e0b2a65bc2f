// Everything that can go wrong on purpose: faults on open connections, and rules for the next connection attempts.
import { randomBytes } from 'node:crypto'
import { frame } from './noise.mjs'
import { SERVER, node } from './stanza.mjs'

const undecryptable = length => frame(randomBytes(length))

/** kind -> (connection, fault). Each is what a client would see from the real server or network. */
const FAULTS = {
  stream_error: (connection, { code, child, childAttrs, close = true }) => connection.streamError({ code, child, childAttrs, close }),
  replaced: connection => connection.streamError({ child: 'conflict', childAttrs: { type: 'replaced' } }),
  failure: (connection, { reason, attrs }) => connection.fail(reason, attrs),
  downgrade: connection => connection.send(node('ib', { from: SERVER }, [node('downgrade_webclient')])),
  xmlstreamend: connection => connection.send(node('xmlstreamend')),
  close: (connection, { code = 1000, reason = '' }) => connection.close(code, reason),
  fin: connection => connection.fin(),
  reset: connection => connection.reset(),
  silence: (connection, { on = true, pause = false }) => connection.setSilent(on, pause),
  half_open: connection => connection.setSilent(true, true),
  deaf: (connection, { on = true }) => connection.setDeaf(on),
  garbage: connection => connection.raw(undecryptable(32)),
  node: (connection, { node: stanza }) => connection.send(stanza)
}

/** Throws on a kind that isn't there, so that a misspelt one fails the test that wrote it. */
export function checkFault({ kind }) {
  if (!Object.hasOwn(FAULTS, kind)) throw new Error(`unknown fault "${kind}"; known: ${FAULT_KINDS.join(', ')}`)
}

/** Do a checked fault to one connection. */
export function applyFault(connection, fault) {
  FAULTS[fault.kind](connection, fault)
}

/** Rules that act on the raw socket, before there is a WebSocket. `true`: the attempt ends here. */
const AT_UPGRADE = {
  http(socket, { status = 503, headers = {} }) {
    const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.end(`HTTP/1.1 ${status} Lab\r\nContent-Length: 0\r\nConnection: close\r\n${extra}\r\n`)
  },
  reset: socket => socket.resetAndDestroy(),
  hang() {} // accepted, never answered
}

/** Rules that act on the client's hello. `proceed` sends the ServerHello. */
const AT_HELLO = {
  hang_hello: connection => connection.hang(),
  slow_hello: (connection, { ms = 5000 }, proceed) => connection.later(ms, () => proceed({})),
  bad_cert: (_connection, _rule, proceed) => proceed({ badCertificate: true }),
  garbage: connection => connection.raw(undecryptable(16))
}

export const FAULT_KINDS = Object.keys(FAULTS)
export const RULE_KINDS = ['accept', ...Object.keys(AT_UPGRADE), ...Object.keys(AT_HELLO)]

/** What happens to the next connection attempts: the first rule is used up (`times`, else for ever), then the second. */
export class ConnectRules {
  #rules = []

  /** Replace all rules. Throws on an unknown kind. */
  set(rules) {
    for (const { kind } of rules) {
      if (!RULE_KINDS.includes(kind)) throw new Error(`unknown rule "${kind}"; known: ${RULE_KINDS.join(', ')}`)
    }
    this.#rules = rules.map(rule => ({ ...rule }))
  }

  list() { return this.#rules }

  /** The rule for this attempt, or null. */
  take() {
    const rule = this.#rules[0] ?? null
    if (rule?.times !== undefined && --rule.times <= 0) this.#rules.shift()
    return rule
  }
}

/** True when the rule ended the attempt. */
export function applyAtUpgrade(socket, rule) {
  if (!rule || !Object.hasOwn(AT_UPGRADE, rule.kind)) return false
  AT_UPGRADE[rule.kind](socket, rule)
  return true
}

/** Answer a client's hello as the rule says; without one, at once. */
export function applyAtHello(connection, rule, proceed) {
  if (rule && Object.hasOwn(AT_HELLO, rule.kind)) AT_HELLO[rule.kind](connection, rule, proceed)
  else proceed({})
}
