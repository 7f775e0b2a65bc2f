// What the connector reads from raw stanzas and from Baileys' messages. Pure.
import { normalizeMessageContent, proto } from '@whiskeysockets/baileys'
import { moment, whole } from './numbers.mjs'

/** Receipt types that tell of the recipient's side -> the protocol's names. The others are between our own devices. */
const RECEIPT_TYPES = { undefined: 'delivered', inactive: 'delivered', read: 'read', played: 'played' }
/** Chats that are no conversation: status updates and channels. */
const NO_CONVERSATION = /@(?:broadcast|newsletter)$/
/** Characters of a text that are told, as many as may be sent; and ids of one receipt. What is longer is nobody's who means well. */
const LONGEST_TEXT = 65_536
const MOST_IDS = 1024
const CIPHERTEXT = proto.WebMessageInfo.StubType.CIPHERTEXT

/** What only the server's delivery path brings; answers, heartbeats and acknowledgements prove no more than a connection. */
const DELIVERED = new Set(['message', 'receipt', 'notification', 'presence', 'chatstate', 'call', 'ib'])

/** Whether a stanza came over the delivery path, and is none that is told of as a receipt. */
export function isDelivery(stanza) {
  return DELIVERED.has(stanza?.tag) && (stanza.tag !== 'receipt' || readReceipt(stanza) === null)
}

/** {messageId, error: number | null} of an `<ack class="message">`. */
export function readAck({ attrs }) {
  return { messageId: attrs.id, error: attrs.error === undefined ? null : whole(Number.parseInt(attrs.error, 10)) || 500 }
}

/** {type, messageIds} of a `<receipt>`, or null when it does not tell of a recipient. */
export function readReceipt({ attrs, content }) {
  const type = Object.hasOwn(RECEIPT_TYPES, String(attrs.type)) ? RECEIPT_TYPES[String(attrs.type)] : null
  if (type === null) return null
  const lists = Array.isArray(content) ? content.filter(child => Array.isArray(child?.content)) : []
  const more = lists.flatMap(list => list.content.map(item => item?.attrs?.id))
  const messageIds = [...new Set([attrs.id, ...more])].filter(id => typeof id === 'string')
  return { type, messageIds: messageIds.slice(0, MOST_IDS) }
}

/** The message that a `<receipt>` asks for again, because a device could not decrypt it, or null. */
export function readRetry({ attrs }) {
  return attrs.type === 'retry' && typeof attrs.id === 'string' ? attrs.id : null
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
  const text = readText(content.conversation || content.extendedTextMessage?.text)
  const participant = key.participant ? phoneJid(key.participant, key.participantAlt) : null
  return { kind: 'message', messageId: key.id, from, participant, timestamp: readTime(messageTimestamp), text }
}

/**
 * What somebody wrote, as it can be told: protobufjs makes half a surrogate pair of bytes that are no UTF-8, and msgpack makes
 * bytes that are no UTF-8 of that, which a strict reader refuses together with the link that they came over.
 */
function readText(text) {
  return text ? text.slice(0, LONGEST_TEXT).toWellFormed() : null
}

/** Milliseconds since 1970; the present time where a stanza has none that is a number. */
function readTime(seconds) {
  return moment(seconds) ?? Date.now()
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
