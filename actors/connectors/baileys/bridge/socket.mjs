// One Baileys socket, made and hooked: what Baileys 7.0.0-rc14 swallows, or lets kill the process, becomes a call.
import './isolation.mjs'
import './trials.mjs'
import { readFileSync } from 'node:fs'
import makeWASocket, { DEFAULT_CONNECTION_CONFIG, WA_CERT_DETAILS, proto } from '@whiskeysockets/baileys'
import { isConnectionLoss } from './errors.mjs'
import { Placeholders } from './placeholders.mjs'
import { signalRepository } from './signal.mjs'
import { readReceipt, readRetry } from './stanzas.mjs'

const { version: VERSION } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const { version: BAILEYS_VERSION } = JSON.parse(readFileSync(new URL(import.meta.resolve('@whiskeysockets/baileys/package.json')), 'utf8'))

export { BAILEYS_VERSION }

/** What the owner of the account reads under "linked devices". */
export const BROWSER = ['wavigil', 'Chrome', VERSION]
/** WhatsApp refuses a pairing code (400) for an operating system that it does not know (Baileys#2560), so there it is named. */
export const CODE_SYSTEM = 'Linux'

/** Baileys' own times of life of a QR in milliseconds: the first, and each that follows. */
export const QR_MS = { first: 60_000, next: 20_000 }

const { FULL, RECENT } = proto.HistorySync.HistorySyncType
const SILENT = { level: 'silent', child: () => SILENT, trace() {}, debug() {}, info() {}, warn() {}, error() {} }
const CONNECT_TIMEOUT_MS = 20_000
/** Baileys counts each answer to a request twice, and a request once: so often is asked, half as often answered. */
const RETRIES = 12

/** Trust this root (hex) for the Noise certificate instead of WhatsApp's: for a server of one's own. */
export function trustRoot(hex) {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(hex, 'hex')
}

/** The client version as it is told to the server. */
export function clientVersion(options) {
  return (options.clientVersion ?? DEFAULT_CONNECTION_CONFIG.version).join('.')
}

/**
 * Starts to connect. What arrives goes through `arrivals`, with its keys changed by `changing`, and those of what is encrypted at once by `together`. `sentText(messageId)` is a text sent before, for who asks for it again, or undefined. All of it goes through `route`, a Route, unless that is null. Gives {sock, raw, browser}: Baileys' socket, its WebSocket, and its browser triple, which may be changed.
 *
 * `on.reached()`: the server has answered, be it with a refusal.
 * `on.refused(status, retryAfter)`: the upgrade got an HTTP answer, which Baileys would not notice.
 * `on.badFrame(error)`: a frame could not be read, which would be an unhandled rejection.
 * `on.closeCode(code)`: the WebSocket's close code, which Baileys does not keep; comes before its own end.
 */
export function openSocket({ creds, keys, options, sentText, arrivals, changing, together, route, on }) {
  const browser = [...BROWSER]
  const placeholders = new Placeholders({ me: () => creds.me, ask: (key, data) => sock.requestPlaceholderResend(key, data) })
  const sock = makeWASocket({
    auth: { creds, keys },
    browser,
    logger: SILENT,
    waWebSocketUrl: options.websocketUrl,
    version: options.clientVersion ?? DEFAULT_CONNECTION_CONFIG.version,
    connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, options.openDeadlineMs),
    ...(route && throughProxy(route, options.websocketUrl)),
    makeSignalRepository: signalRepository(DEFAULT_CONNECTION_CONFIG.makeSignalRepository, keys, {
      arrive: (ciphertext, decrypt) => arrivals.decrypt(ciphertext, decrypt), changing, together
    }),
    placeholderResendCache: placeholders.cache,
    getMessage: async ({ id }) => asMessage(sentText(id)),
    emitOwnEvents: false,
    // What can't be read is asked for again, then refused. With Baileys' pause in between, the refusal would come after what was
    // sent again under the same id, and the server could take it for a word about that.
    retryRequestDelayMs: 0,
    maxMsgRetryCount: RETRIES,
    markOnlineOnConnect: false, // the phone goes on ringing
    fireInitQueries: true, // what WhatsApp Web asks at login; the answers steer privacy tokens, whose lack is nack 463
    syncFullHistory: false,
    // Recent history is megabytes a session that nobody reads, and the wait for it holds messages back for 20 s after a
    // pairing. The initial one is small and brings the LID mappings.
    shouldSyncHistoryMessage: ({ syncType }) => syncType !== FULL && syncType !== RECENT
  })
  const { ws } = sock
  ws.once('open', () => on.reached())
  ws.on('unexpected-response', (request, response) => {
    on.reached()
    response.resume()
    request.destroy()
    on.refused(response.statusCode, response.headers['retry-after'])
  })
  replace(ws, 'message', read => data => { Promise.resolve(read(data)).catch(on.badFrame) })
  replace(ws, 'CB:message', handle => stanza => unlessOver(arrivals.message(stanza, () => placeholders.message(stanza, handle))))
  replace(ws, 'CB:receipt', handle => stanza => unlessOver(arrivals.receipt({ told: readReceipt(stanza), wanted: readRetry(stanza) }, () => handle(stanza))))
  ws.prependListener('close', code => on.closeCode(code))
  ws.socket.once('close', () => placeholders.close()) // when we end it, Baileys' own tells nobody
  return { sock, raw: ws.socket, browser }
}

/** What Baileys does not give an agent it fetches: with the dispatcher, which exists from the first such fetch on. */
function throughProxy(route, websocketUrl) {
  return { agent: route.agent(websocketUrl.startsWith('wss:')), fetchAgent: route.agent(true), options: { get dispatcher() { return route.dispatcher } } }
}

/** Puts a listener of ours in the place of Baileys' own. */
function replace(ws, event, make) {
  const [own, ...others] = ws.listeners(event)
  if (!own || others.length > 0) throw new Error(`Baileys listens to ${event} otherwise than expected`)
  ws.removeListener(event, own)
  ws.on(event, make(own))
}

/** What was under way when the connection ended comes again with the next one. */
async function unlessOver(work) {
  try {
    await work
  } catch (error) {
    if (!isConnectionLoss(error)) throw error
  }
}

function asMessage(text) {
  return text === undefined ? undefined : { extendedTextMessage: { text } }
}

/** Holds back, in order, all that is written to the wire from now on until `barrier` resolves; if it rejects, for ever. */
export function holdWire(raw, barrier) {
  const write = raw.send.bind(raw)
  let tail = barrier
  raw.send = (data, callback) => {
    tail = tail.then(() => write(data, callback))
    tail.catch(error => callback?.(error))
  }
}
