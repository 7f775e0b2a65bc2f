// MessagePack, as much of it as the connector protocol uses: nil, booleans, integers, 64-bit floats, text, bytes, lists, maps
// with text keys (https://github.com/msgpack/msgpack/blob/master/spec.md).

/** The bytes are no MessagePack, or hold what the protocol does not use. */
export class BadBytes extends Error {}

/** @returns {Buffer} */
export function encode(value) {
  const parts = []
  write(value, parts)
  return Buffer.concat(parts)
}

function write(value, out) {
  if (value === null || value === undefined) out.push(Buffer.of(0xc0))
  else if (typeof value === 'boolean') out.push(Buffer.of(value ? 0xc3 : 0xc2))
  else if (typeof value === 'number') writeNumber(value, out)
  else if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    out.push(head(bytes.length, [[32, 0xa0]], [0xd9, 0xda, 0xdb]), bytes)
  } else if (Buffer.isBuffer(value) || value instanceof Uint8Array) out.push(head(value.length, [], [0xc4, 0xc5, 0xc6]), Buffer.from(value))
  else if (Array.isArray(value)) {
    out.push(head(value.length, [[16, 0x90]], [null, 0xdc, 0xdd]))
    for (const item of value) write(item, out)
  } else {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    out.push(head(entries.length, [[16, 0x80]], [null, 0xde, 0xdf]))
    for (const [key, item] of entries) {
      write(key, out)
      write(item, out)
    }
  }
}

/** The first bytes of something with a length. */
function head(length, [short], [one, two, four]) {
  if (short && length < short[0]) return Buffer.of(short[1] | length)
  if (one && length < 0x100) return Buffer.of(one, length)
  if (length < 0x10000) return Buffer.of(two, length >> 8, length & 0xff)
  const bytes = Buffer.alloc(5)
  bytes[0] = four
  bytes.writeUInt32BE(length, 1)
  return bytes
}

function writeNumber(value, out) {
  const bytes = Buffer.alloc(9)
  if (!Number.isSafeInteger(value)) {
    bytes[0] = 0xcb
    bytes.writeDoubleBE(value, 1)
    out.push(bytes)
  } else if (value >= 0 && value < 128) out.push(Buffer.of(value))
  else if (value < 0 && value >= -32) out.push(Buffer.of(0x100 + value))
  else {
    bytes[0] = value < 0 ? 0xd3 : 0xcf
    if (value < 0) bytes.writeBigInt64BE(BigInt(value), 1)
    else bytes.writeBigUInt64BE(BigInt(value), 1)
    out.push(bytes)
  }
}

/** The one value in these bytes. Throws BadBytes. */
export function decode(bytes) {
  const reader = { bytes, at: 0 }
  try {
    const value = read(reader, 0)
    if (reader.at !== bytes.length) throw new BadBytes('more than one value')
    return value
  } catch (error) {
    throw error instanceof BadBytes ? error : new BadBytes(error.message)
  }
}

function read(r, depth) {
  if (depth > 64) throw new BadBytes('nested too deeply')
  const first = r.bytes.readUInt8(r.at++)
  if (first < 0x80) return first
  if (first < 0x90) return readMap(r, first & 0x0f, depth)
  if (first < 0xa0) return readList(r, first & 0x0f, depth)
  if (first < 0xc0) return readText(r, first & 0x1f)
  if (first >= 0xe0) return first - 0x100
  switch (first) {
    case 0xc0: return null
    case 0xc2: return false
    case 0xc3: return true
    case 0xc4: return readBytes(r, number(r, 1))
    case 0xc5: return readBytes(r, number(r, 2))
    case 0xc6: return readBytes(r, number(r, 4))
    case 0xca: return advance(r, 4, at => r.bytes.readFloatBE(at))
    case 0xcb: return advance(r, 8, at => r.bytes.readDoubleBE(at))
    case 0xcc: return number(r, 1)
    case 0xcd: return number(r, 2)
    case 0xce: return number(r, 4)
    case 0xcf: return advance(r, 8, at => Number(r.bytes.readBigUInt64BE(at)))
    case 0xd0: return advance(r, 1, at => r.bytes.readInt8(at))
    case 0xd1: return advance(r, 2, at => r.bytes.readInt16BE(at))
    case 0xd2: return advance(r, 4, at => r.bytes.readInt32BE(at))
    case 0xd3: return advance(r, 8, at => Number(r.bytes.readBigInt64BE(at)))
    case 0xd9: return readText(r, number(r, 1))
    case 0xda: return readText(r, number(r, 2))
    case 0xdb: return readText(r, number(r, 4))
    case 0xdc: return readList(r, number(r, 2), depth)
    case 0xdd: return readList(r, number(r, 4), depth)
    case 0xde: return readMap(r, number(r, 2), depth)
    case 0xdf: return readMap(r, number(r, 4), depth)
    default: throw new BadBytes(`type ${first} is not used here`)
  }
}

function advance(r, count, take) {
  const value = take(r.at)
  r.at += count
  return value
}

const number = (r, count) => advance(r, count, at => r.bytes.readUIntBE(at, count))

function readBytes(r, length) {
  if (r.at + length > r.bytes.length) throw new BadBytes('cut off')
  return advance(r, length, at => Buffer.from(r.bytes.subarray(at, at + length)))
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const readText = (r, length) => utf8.decode(readBytes(r, length))

function readList(r, count, depth) {
  const list = []
  for (let n = 0; n < count; n++) list.push(read(r, depth + 1))
  return list
}

function readMap(r, count, depth) {
  const map = {}
  for (let n = 0; n < count; n++) {
    const key = read(r, depth + 1)
    if (typeof key !== 'string') throw new BadBytes('a key that is no text')
    Object.defineProperty(map, key, { value: read(r, depth + 1), enumerable: true, writable: true, configurable: true })
  }
  return map
}
