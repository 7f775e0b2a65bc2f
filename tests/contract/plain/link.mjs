// One end of a link: frames, requests and answers, events, and the bounds of the protocol.
import { BadBytes, decode, encode } from './msgpack.mjs'

const MAX_FRAME = 4 * 1024 * 1024
const MAX_UNREAD = 8 * 1024 * 1024
const MAX_RUNNING = 4096

/** An error answer. */
export class Refusal extends Error {
  constructor(code, message, data = {}) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** The link ended before the answer. */
export class Gone extends Error {}

export class Link {
  closed = false
  #socket
  #onRequest
  #onEnd
  #waiting = new Map()
  #lastId = 0
  #running = 0
  #buffer = Buffer.alloc(0)

  /** `onRequest(request, link)` gives the answer or throws a Refusal; a link that may only ask has none. */
  constructor(socket, { onRequest = null, onEnd = () => {} } = {}) {
    this.#socket = socket
    this.#onRequest = onRequest
    this.#onEnd = onEnd
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', () => {})
    socket.on('end', () => this.#end()) // before 'close': what is told now has to be told to the next link
    socket.on('close', () => this.#end())
  }

  send(frame) {
    if (this.closed) return
    const body = encode(frame)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(body.length)
    this.#socket.write(Buffer.concat([length, body]))
    if (this.#socket.writableLength > MAX_UNREAD) this.cut()
  }

  request(cmd, fields = {}) {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new Gone('closed'))
      const id = ++this.#lastId
      this.#waiting.set(id, { resolve, reject })
      this.send({ id, cmd, ...fields })
    })
  }

  /** Ends the link when what is queued has left. */
  finish() {
    this.#socket.end()
    this.#end()
  }

  /** Ends the link at once. */
  cut() {
    this.#socket.destroy()
    this.#end()
  }

  #end() {
    if (this.closed) return
    this.closed = true
    for (const { reject } of this.#waiting.values()) reject(new Gone('the link ended'))
    this.#onEnd(this)
  }

  #read(chunk) {
    this.#buffer = this.#buffer.length ? Buffer.concat([this.#buffer, chunk]) : chunk
    while (!this.closed && this.#buffer.length >= 4) {
      const length = this.#buffer.readUInt32BE(0)
      if (length > MAX_FRAME) return this.cut()
      if (this.#buffer.length < 4 + length) return
      const body = this.#buffer.subarray(4, 4 + length)
      this.#buffer = this.#buffer.subarray(4 + length)
      let frame
      try {
        frame = decode(body)
      } catch (error) {
        if (!(error instanceof BadBytes)) throw error
        return this.cut()
      }
      if (frame === null || typeof frame !== 'object' || Array.isArray(frame) || Buffer.isBuffer(frame)) return this.cut()
      this.#take(frame)
    }
  }

  #take(frame) {
    if ('re' in frame && this.#waiting.has(frame.re)) {
      const { resolve, reject } = this.#waiting.get(frame.re)
      this.#waiting.delete(frame.re)
      if (frame.err) reject(new Refusal(frame.err.code, frame.err.message, frame.err.data))
      else resolve(frame.ok)
    } else if (this.#onRequest && typeof frame.cmd === 'string' && Number.isSafeInteger(frame.id) && frame.id >= 0) this.#answer(frame)
    else this.cut() // nobody pushes events to a connector, and nothing else was asked
  }

  async #answer(request) {
    if (this.#running >= MAX_RUNNING) return this.send({ re: request.id, err: { code: 'busy', message: 'too many requests are under way' } })
    this.#running++
    let after = null
    try {
      let ok = await this.#onRequest(request, this)
      if (typeof ok === 'function') [ok, after] = ok() // what must not come between an answer and what it is the answer to
      this.send({ re: request.id, ok })
    } catch (error) {
      const { code, message, data } = error instanceof Refusal ? error : new Refusal('internal', error.message)
      this.send({ re: request.id, err: { code, message, data } })
    } finally {
      this.#running--
    }
    after?.()
  }
}
