// What Baileys says at the end of a connection -> {code, reason, message, data}. Pure.
import { masked } from './log.mjs'
import { whole } from './numbers.mjs'
import { ProxyError } from './proxy.mjs'

const PAIRING_EXPIRED = 'QR refs attempts ended'
const LOGIN_REFUSED = new Set(['Connection Failure', 'Multi-device beta not joined'])
/** Attributes of a stanza that say nothing about the cause. */
const NOISE = new Set(['t', 'id', 'from', 'to', 'xmlns'])
const DATA_LIMIT = 16

/** The closed event's fields for an end of our own making. */
export function ownCause(reason, message, { code = 0, data = {} } = {}) {
  return { code, reason, message, data }
}

/**
 * The closed event's fields for Baileys' `lastDisconnect.error`.
 *
 * `stanza` is the stream:error as it came, when there was one: Baileys keeps only its first child, and a device that was
 * removed without a code can be told from a replaced one by its conflict alone. `wsCode` is the WebSocket's close code.
 */
export function classify(error, { stanza = null, wsCode = null } = {}) {
  if (error?.data instanceof ProxyError) return ownCause('proxy', error.data.message, { data: error.data.data })
  const code = whole(error?.output?.statusCode) ?? 0
  const message = masked(error?.message ?? '')
  const data = { ...detail(error?.data), ...(stanza ? detail(stanza) : {}) }
  if (wsCode !== null && wsCode !== undefined) data.websocket = String(wsCode)
  return { code, reason: reasonOf(message, code, error, stanza), message, data }
}

function reasonOf(message, code, error, stanza) {
  if (message === PAIRING_EXPIRED) return 'pairing_expired'
  if (LOGIN_REFUSED.has(message)) return 'login_failure'
  if (stanza || message.startsWith('Stream Errored')) return 'stream_error'
  if (code === 408 || code === 428 || message.startsWith('WebSocket Error')) return 'network'
  return error ? 'error' : 'network'
}

/** A map of strings from what Baileys attaches: a system error, a stanza, or a stanza's attributes. */
function detail(value) {
  if (value === null || typeof value !== 'object') return {}
  if (value instanceof Error) return typeof value.code === 'string' ? { errno: value.code } : {}
  if (typeof value.tag === 'string') return stanzaDetail(value)
  return texts(value)
}

function stanzaDetail(node) {
  const children = Array.isArray(node.content) ? node.content.filter(child => typeof child?.tag === 'string') : []
  const own = texts(node.attrs ?? {})
  if (node.tag === 'conflict') return { conflict: own.type ?? 'unknown' }
  const inner = children.map(child => (child.tag === 'conflict' ? stanzaDetail(child) : { child: child.tag, ...texts(child.attrs ?? {}) }))
  return Object.assign(node.tag === 'stream:error' ? {} : { child: node.tag }, ...inner, own)
}

function texts(map) {
  const entries = Object.entries(map).filter(([key, value]) => !NOISE.has(key) && ['string', 'number', 'boolean'].includes(typeof value))
  return Object.fromEntries(entries.slice(0, DATA_LIMIT).map(([key, value]) => [key.slice(0, 64), publicText(value)]))
}

/** Numbers stay whole (a ban of 2592000 seconds is no phone number), addresses don't. */
function publicText(value) {
  const text = String(value).slice(0, 200)
  return text.includes('@') ? masked(text) : text
}
