// One end of a framed connection: answers the peer's requests, sends requests of its own, pushes events.
import { ProtocolError, toWire } from './errors.mjs'
import { FrameError, FrameReader, encode } from './frames.mjs'
import { describe, log } from './log.mjs'
import { limit, realTime } from './timers.mjs'

/** Bytes that may wait for a peer that does not read; beyond it the link is cut: a slow peer never fills memory. */
export const WRITE_LIMIT = 8 * 1024 * 1024
/** Requests of one peer that may be under way; further ones are refused: a flood never fills memory. */
export const MAX_RUNNING = 4096
/** How long a peer may take for its first request, if it is to make one. */
export const FIRST_MS = 10_000

/** The link ended before the answer came: whether the request took effect is not known. */
export class LinkClosed extends Error {
  name = 'LinkClosed'
}

/** An answer that is computed at the moment it is sent, and what happens right after. */
export class Reply {
  constructor(value, after) {
    this.value = value
    this.after = after
  }
}

export class Peer {
  closed = false
  #socket
  #onRequest
  #onOther
  #onEnd
  #pending = new Map() // request id -> {resolve, reject}
  #nextId = 1
  #running = 0
  #cancelFirst = () => {}

  /**
   * `onRequest(message, peer)` returns the answer (or a Reply) or throws; `onOther(peer)` is told of each frame that is no
   * request; `onEnd(peer)` is called once. Who answers requests gives the first of them FIRST_MS.
   */
  constructor(socket, { onRequest = null, onOther = () => {}, onEnd = () => {}, time = realTime } = {}) {
    this.#socket = socket
    this.#onRequest = onRequest
    this.#onOther = onOther
    this.#onEnd = onEnd
    const reader = new FrameReader()
    socket.on('data', chunk => this.#read(reader, chunk))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#finish())
    if (onRequest) this.#cancelFirst = limit(FIRST_MS, () => this.#cut('nothing was asked in time'), time)
  }

  /** Queue a frame. Dropped on a closed link, whose end its owner has been told. Throws FrameError when it is too long. */
  send(message) {
    if (this.closed) return
    this.#socket.write(encode(message))
    if (this.#socket.writableLength > WRITE_LIMIT) this.destroy()
  }

  event(name, fields) {
    this.send({ ev: name, ...fields })
  }

  /** The peer's answer. Rejects with ProtocolError (its refusal) or LinkClosed. */
  request(cmd, fields = {}) {
    if (this.closed) return Promise.reject(new LinkClosed('the link is closed'))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      try {
        this.send({ id, cmd, ...fields })
      } catch (error) {
        this.#pending.delete(id)
        reject(new ProtocolError('limit', error.message))
      }
    })
  }

  /** Flush what is queued, then end the link. */
  end() {
    this.#socket.end()
    this.#finish()
  }

  /** End the link at once. */
  destroy() {
    this.#socket.destroy()
    this.#finish()
  }

  #finish() {
    if (this.closed) return
    this.closed = true
    this.#cancelFirst()
    for (const { reject } of this.#pending.values()) reject(new LinkClosed('the link ended before the answer'))
    this.#pending.clear()
    this.#onEnd(this)
  }

  #read(reader, chunk) {
    if (this.closed) return
    try {
      for (const message of reader.push(chunk)) {
        this.#dispatch(message)
        if (this.closed) return
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#cut(error.message)
    }
  }

  #cut(error) {
    log('warning', 'link_cut', { error })
    this.destroy()
  }

  #dispatch(message) {
    if (!('cmd' in message)) this.#onOther(this)
    if ('re' in message) return this.#settle(message)
    if (typeof message.cmd === 'string' && Number.isSafeInteger(message.id) && message.id >= 0) return void this.#serve(message)
    if ('ev' in message) return undefined // nobody pushes events to a connector; a newer peer may
    throw new FrameError('neither a request nor an answer')
  }

  #settle({ re, ok, err }) {
    const waiting = this.#pending.get(re)
    if (!waiting) return
    this.#pending.delete(re)
    if (err) waiting.reject(new ProtocolError(String(err.code ?? 'internal'), String(err.message ?? ''), err.data))
    else waiting.resolve(ok)
  }

  async #serve(message) {
    this.#cancelFirst()
    this.#running++
    try {
      if (!this.#onRequest) throw new ProtocolError('unknown_command', 'no command is accepted here')
      if (this.#running > MAX_RUNNING) throw new ProtocolError('busy', `${MAX_RUNNING} requests are under way`)
      const answer = await this.#onRequest(message, this)
      const isReply = answer instanceof Reply
      this.send({ re: message.id, ok: (isReply ? answer.value() : answer) ?? {} })
      if (isReply) answer.after()
    } catch (error) {
      if (!(error instanceof ProtocolError)) log('error', 'command_failed', { cmd: message.cmd.slice(0, 40), ...describe(error) })
      this.send({ re: message.id, err: toWire(error) })
    } finally {
      this.#running--
    }
  }
}
