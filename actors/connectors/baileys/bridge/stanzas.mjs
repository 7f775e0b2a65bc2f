// What the connector reads from raw stanzas and from Baileys' messages. Pure.
import { normalizeMessageContent, proto } from '@whiskeysockets/baileys'

/** Receipt types that tell of the recipient's side -> the protocol's names. The others are between our own devices. */
const RECEIPT_TYPES = { undefined: 'delivered', inactive: 'delivered', read: 'read', played: 'played' }
/** Chats that are no conversation: status updates and channels. */
const NO_CONVERSATION = /@(?:broadcast|newsletter)$/
const CIPHERTEXT = proto.WebMessageInfo.StubType.CIPHERTEXT

/** {messageId, error: number | null} of an `<ack class="message">`. */
export function readAck({ attrs }) {
  return { messageId: attrs.id, error: attrs.error === undefined ? null : Number.parseInt(attrs.error, 10) || 500 }
}

/** {type, messageIds} of a `<receipt>`, or null when it does not tell of a recipient. */
export function readReceipt({ attrs, content }) {
  const type = Object.hasOwn(RECEIPT_TYPES, String(attrs.type)) ? RECEIPT_TYPES[String(attrs.type)] : null
  if (type === null) return null
  const lists = Array.isArray(content) ? content.filter(child => Array.isArray(child?.content)) : []
  const more = lists.flatMap(list => list.content.map(item => item?.attrs?.id))
  return { type, messageIds: [attrs.id, ...more].filter(id => typeof id === 'string') }
}

/**
 * What an inbound message of `messages.upsert` is: {kind: 'message', messageId, from, participant, timestamp (ms), text},
 * {kind: 'undecryptable', messageId, from}, or null for what is no message from somebody else.
 */
export function readMessage({ key, message, messageStubType, messageTimestamp }) {
  if (!key?.id || key.fromMe || NO_CONVERSATION.test(key.remoteJid ?? '')) return null
  const from = phoneJid(key.remoteJid, key.remoteJidAlt)
  if (messageStubType === CIPHERTEXT) return { kind: 'undecryptable', messageId: key.id, from }
  const content = messageStubType ? null : normalizeMessageContent(message)
  if (!content || content.protocolMessage || !hasContent(content)) return null
  const text = content.conversation || content.extendedTextMessage?.text || null
  const participant = key.participant ? phoneJid(key.participant, key.participantAlt) : null
  return { kind: 'message', messageId: key.id, from, participant, timestamp: Number(messageTimestamp) * 1000, text }
}

/** The phone-number form of an address where it is known: a LID says nothing to the people who read it. */
function phoneJid(jid, alternative) {
  return jid?.endsWith('@lid') && alternative ? alternative : jid
}

/** A message that only carries keys or context has nothing to tell. */
function hasContent(content) {
  return Object.entries(content).some(([name, value]) => value && name !== 'senderKeyDistributionMessage' && name !== 'messageContextInfo')
}

/** For how many milliseconds there are QRs, from the `<pair-device>` stanza and the times of life of the first and the next. */
export function qrLifetime(stanza, { first, next }) {
  const offer = Array.isArray(stanza.content) ? stanza.content.find(child => child.tag === 'pair-device') : null
  const refs = Array.isArray(offer?.content) ? offer.content.filter(child => child.tag === 'ref').length : 0
  return first + Math.max(0, refs - 1) * next
}
