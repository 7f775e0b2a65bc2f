// Keeps the Signal sessions with a contact that a message is not of as they are.
//
// There are several sessions with a contact as soon as two first messages have crossed. A message does not say which it is of, so
// libsignal 6.0.0 tries one after the other. It steps the ratchet of each before it knows whether the message is of it, and then
// stores them all: what is sent on such a session after that nobody can decrypt ("Bad MAC"), the new session which that leads to
// is the next to suffer, and so on. Here each is tried on a copy.
import './isolation.mjs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.resolve('@whiskeysockets/baileys'))
const SessionCipher = require('libsignal/src/session_cipher.js')
const { SessionError } = require('libsignal/src/errors.js')

const tryOnly = SessionCipher.prototype.decryptWithSessions // what fails on the only session is not stored

SessionCipher.prototype.decryptWithSessions = async function (data, sessions) {
  if (sessions.length < 2) return tryOnly.call(this, data, sessions)
  for (const session of sessions) {
    const copy = session.constructor.deserialize(session.serialize())
    let plaintext
    try {
      plaintext = await this.doDecryptWhisperMessage(data, copy)
    } catch {
      continue
    }
    if (!copy.pendingPreKey) delete session.pendingPreKey
    Object.assign(session, copy)
    session.indexInfo.used = Date.now()
    return { session, plaintext }
  }
  throw new SessionError('No matching sessions found for message')
}
