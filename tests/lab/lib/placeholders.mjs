// Messages that a companion device gets without content, and asks the account's own phone for.
import { proto } from '@whiskeysockets/baileys'
import { phoneJid, unixSeconds } from './stanza.mjs'

const { ProtocolMessage, PeerDataOperationRequestType } = proto.Message
const TYPE = PeerDataOperationRequestType.PLACEHOLDER_MESSAGE_RESEND

export class Placeholders {
  #texts = new Map() // `account|message id` -> {from, text, timestamp}

  /** The phone of `account` knows what the message says; its other devices get it without content. */
  add(account, { from, id, text }) {
    this.#texts.set(`${account.user}|${id}`, { from, text, timestamp: Number(unixSeconds()) })
  }

  /** What the phone answers to the request `stanzaId`, a message of a device of its own; null when it is asked for nothing. */
  answer(account, stanzaId, request) {
    const inner = request.deviceSentMessage?.message ?? request
    const asked = inner.protocolMessage?.peerDataOperationRequestMessage?.placeholderMessageResendRequest ?? []
    if (asked.length === 0) return null
    const peerDataOperationResult = asked.map(({ messageKey }) => this.#found(account, messageKey.id))
    return {
      protocolMessage: {
        type: ProtocolMessage.Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
        peerDataOperationRequestResponseMessage: { peerDataOperationRequestType: TYPE, stanzaId, peerDataOperationResult }
      }
    }
  }

  #found(account, id) {
    const known = this.#texts.get(`${account.user}|${id}`)
    if (!known) return {}
    const { from, text, timestamp: messageTimestamp } = known
    const info = { key: { remoteJid: phoneJid(from), fromMe: false, id }, messageTimestamp, message: { conversation: text } }
    return { placeholderMessageResendResponse: { webMessageInfoBytes: proto.WebMessageInfo.encode(info).finish() } }
  }
}
