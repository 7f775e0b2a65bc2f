// Small words for building and reading WhatsApp's binary XML nodes.
import { getBinaryNodeChild, getBinaryNodeChildBuffer, getBinaryNodeChildren, jidDecode, jidEncode } from '@whiskeysockets/baileys'

/** Address of the server itself, in the form that clients compare with. */
export const SERVER = '@s.whatsapp.net'
const PHONE_DOMAIN = 's.whatsapp.net'
const LID_DOMAIN = 'lid'

export const node = (tag, attrs = {}, content = undefined) => ({ tag, attrs, content })
export const child = getBinaryNodeChild
export const children = getBinaryNodeChildren

/** Bytes of a named child, or undefined. A child that was sent as text comes back as its UTF-8 bytes. */
export const bytes = (parent, tag) => {
  const found = getBinaryNodeChildBuffer(parent, tag)
  return found === undefined ? undefined : Buffer.from(found)
}

/** Unsigned big-endian integer of any length, as WhatsApp writes key and registration ids. */
export const uint = buffer => Buffer.from(buffer).reduce((sum, byte) => sum * 256 + byte, 0)

/** Seconds since the epoch, as the `t` attribute wants it. */
export const unixSeconds = () => String(Math.floor(Date.now() / 1000))

/** `user` is a phone number; device 0 is the phone itself and has no suffix. */
export const phoneJid = (user, device = 0) => jidEncode(user, PHONE_DOMAIN, device)
/** The same by LID, WhatsApp's address that hides the phone number. */
export const lidJid = (lid, device = 0) => jidEncode(lid, LID_DOMAIN, device)
export const isLid = jid => jid?.endsWith('@' + LID_DOMAIN) ?? false
export const isPerson = jid => isLid(jid) || (jid?.endsWith('@' + PHONE_DOMAIN) && jid !== SERVER) || false

/** `{user, device, lid}` of a person's address, or null for groups, broadcasts, the server and nonsense. */
export function parseJid(jid) {
  if (!isPerson(jid)) return null
  const { user, device } = jidDecode(jid)
  return user ? { user, device: device ?? 0, lid: isLid(jid) } : null
}

/** Answers to an `iq`: with content, or `type=error` with a numeric code of WhatsApp. */
export const result = (request, content = undefined) =>
  node('iq', { from: request.attrs.to ?? SERVER, type: 'result', id: request.attrs.id }, content)
export const refusal = (request, code, text) =>
  node('iq', { from: request.attrs.to ?? SERVER, type: 'error', id: request.attrs.id }, [node('error', { code: String(code), text })])
