// What the connector itself asks the server, over a Baileys socket.
import { ProtocolError, isConnectionLoss } from './errors.mjs'
import { whole } from './numbers.mjs'
import { CODE_SYSTEM } from './socket.mjs'

const SERVER = 's.whatsapp.net'
/** How long a pairing code waits for the server's word on it; no word counts as yes. */
const CODE_ANSWER_MS = 5000
const LOGOUT_MS = 10_000
const TIMED_OUT = 408
const TOO_MANY = '429'
const USER = /@(?:s\.whatsapp\.net|lid)$/

/** Sends a `w:p` ping; `answered` is called if the server answers. */
export function ping(sock, answered) {
  const id = sock.generateMessageTag()
  sock.ws.once(`TAG:${id}`, answered)
  const stanza = { tag: 'iq', attrs: { id, to: SERVER, type: 'get', xmlns: 'w:p' }, content: [{ tag: 'ping', attrs: {} }] }
  sock.sendNode(stanza).catch(() => {}) // no answer then, which is what the heartbeat looks for
}

/** The pairing code for `phone` (digits). Rejects with `nack` or `limit` when the server refuses, which Baileys ignores. */
export async function requestCode({ sock, browser }, phone) {
  const word = serversWord(sock.ws)
  const [system] = browser
  try {
    browser[0] = CODE_SYSTEM
    const code = await sock.requestPairingCode(phone).finally(() => { browser[0] = system })
    const refusal = await word.answer
    if (refusal) throw new ProtocolError(refusal === TOO_MANY ? 'limit' : 'nack', 'the server refused to pair by code', { error: whole(refusal) ?? 0 })
    return code
  } catch (error) {
    throw isConnectionLoss(error) && !(error instanceof ProtocolError) ? new ProtocolError('closed', 'the connection ended before the answer') : error
  } finally {
    word.cancel()
  }
}

/** Removes the device `me` at the server; resolves when the server has confirmed. */
export async function removeDevice(sock, me) {
  const stanza = { tag: 'iq', attrs: { to: SERVER, type: 'set', id: sock.generateMessageTag(), xmlns: 'md' }, content: [
    { tag: 'remove-companion-device', attrs: { jid: me, reason: 'user_initiated' } }] }
  let answer
  try {
    answer = await sock.query(stanza, LOGOUT_MS)
  } catch (error) {
    if (isConnectionLoss(error)) throw new ProtocolError('closed', 'the connection ended before the answer')
    if (error?.output?.statusCode !== TIMED_OUT) throw new ProtocolError('nack', 'the server refused the logout', { error: whole(error?.data) ?? 0 })
  }
  if (!answer) throw new ProtocolError('ack_timeout', 'the server did not confirm the logout')
}

/**
 * Sends a text; resolves when it is on the wire. Rejects with `invalid_recipient` when nobody has the number: the server would
 * acknowledge the message and never deliver it, and messages to nobody are what gets accounts banned. Rejects with `restricted`
 * when `restriction()` gives {why, until} and the chat would be a new one: trying it makes the restriction worse.
 */
export function sendText(sock, { messageId, to, text }, restriction) {
  const { creds, keys } = sock.authState
  return keys.transaction(async () => {
    if (USER.test(to)) {
      const restricted = restriction()
      if (restricted && !(await isKnown(sock, to))) throw new ProtocolError('restricted', 'the account may not write to new chats now', restricted)
      const devices = await sock.getUSyncDevices([to], true, false) // cached; the send asks for the same
      if (devices.length === 0) throw new ProtocolError('invalid_recipient', 'nobody has this number on WhatsApp')
    }
    await sock.sendMessage(to, { text, linkPreview: null }, { messageId })
  }, creds.me.id)
}

/** Whether there were messages with one of the user's devices: then there are keys for it. To be asked before Baileys, which makes some. */
async function isKnown({ signalRepository, authState }, to) {
  const [user, server] = to.split('@')
  const { [user]: devices } = await authState.keys.get('device-list', [user])
  const found = await Promise.all((devices ?? ['0']).map(device => signalRepository.validateSession(`${user}:${device}@${server}`)))
  return found.some(({ exists }) => exists)
}

/** `answer` resolves to null when the server accepts (or says nothing), else to the number of its error as text. */
function serversWord(ws) {
  let resolve
  const answer = new Promise(settle => { resolve = settle })
  const heard = {
    'CB:iq,type:result,link_code_companion_reg': () => resolve(null),
    'CB:iq,type:error,error': stanza => resolve(String(stanza.content[0].attrs?.code ?? 0)),
    close: () => resolve(null)
  }
  for (const [event, listener] of Object.entries(heard)) ws.on(event, listener)
  const timer = setTimeout(resolve, CODE_ANSWER_MS, null)
  const cancel = () => {
    clearTimeout(timer)
    for (const [event, listener] of Object.entries(heard)) ws.off(event, listener)
  }
  return { answer, cancel }
}
