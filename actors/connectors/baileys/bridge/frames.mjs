// Length-prefixed msgpack frames: an unsigned 32-bit big-endian length, then a map with string keys.
import { Decoder, Encoder } from '@msgpack/msgpack'

/** Largest body in bytes; a longer announcement is an error before anything is allocated. */
export const MAX_FRAME = 4 * 1024 * 1024
const HEADER = 4

const encoder = new Encoder({ ignoreUndefined: true })
const decoder = new Decoder({
  mapKeyConverter: key => {
    if (typeof key !== 'string') throw new FrameError('a map key is not a text')
    return key
  }
})

/** The peer sent something that is not a frame; the link can't be read any further. */
export class FrameError extends Error {
  name = 'FrameError'
}

/** The bytes of one frame. Throws FrameError when the body is longer than MAX_FRAME. */
export function encode(message) {
  const body = encoder.encodeSharedRef(message)
  if (body.length > MAX_FRAME) throw new FrameError(`a frame of ${body.length} bytes is over the limit of ${MAX_FRAME}`)
  const bytes = Buffer.allocUnsafe(HEADER + body.length)
  bytes.writeUInt32BE(body.length)
  bytes.set(body, HEADER)
  return bytes
}

/** The map in one frame body. Throws FrameError for anything else. */
export function decode(body) {
  let value
  try {
    value = decoder.decode(body)
  } catch (error) {
    throw error instanceof FrameError ? error : new FrameError(`not msgpack: ${error.name}`)
  }
  const isMap = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  if (!isMap) throw new FrameError('a frame must hold a map with string keys')
  return value
}

/** Takes chunks of a stream as they come and gives back the frames that are complete. */
export class FrameReader {
  #chunks = []
  #size = 0
  #need = HEADER
  #inBody = false

  #expect(bytes, inBody) {
    this.#need = bytes
    this.#inBody = inBody
  }

  /** Yields each complete frame's map. Throws FrameError; the reader is then of no use any more. */
  * push(chunk) {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    while (this.#size >= this.#need) {
      const part = this.#take(this.#need)
      if (this.#inBody) {
        this.#expect(HEADER, false)
        yield decode(part)
      } else {
        const length = part.readUInt32BE(0)
        if (length > MAX_FRAME) throw new FrameError(`an announced frame of ${length} bytes is over the limit of ${MAX_FRAME}`)
        this.#expect(length, true)
      }
    }
  }

  #take(count) {
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
    const rest = all.subarray(count)
    this.#chunks = rest.length > 0 ? [rest] : []
    this.#size = rest.length
    return all.subarray(0, count)
  }
}
