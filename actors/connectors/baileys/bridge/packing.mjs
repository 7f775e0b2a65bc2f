// Large values are kept compressed in the vault: what one commit can carry is bounded by the frame. As ../packing.py.
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { ProtocolError } from './errors.mjs'

/** Bytes from which on a value is compressed. */
export const PACK_FROM = 256 * 1024
/** Bytes of a value as Baileys knows it; what would unfold to more is no value of ours. */
export const MAX_UNPACKED = 16 * 1024 * 1024
/** Bytes of a value as the vault takes it. */
export const MAX_STORED = 3 * 1024 * 1024

const gzip = promisify(zlib.gzip)
const gunzip = promisify(zlib.gunzip)
/** gzip's first bytes (RFC 1952), with which no JSON text begins. */
const isPacked = bytes => bytes[0] === 0x1f && bytes[1] === 0x8b

/** The bytes of a JSON text as the vault takes them. Rejects with `limit` when even compressed it is too long. */
export async function pack(key, bytes) {
  const packed = bytes.length >= PACK_FROM && bytes.length <= MAX_UNPACKED ? await gzip(bytes) : bytes
  if (packed.length <= MAX_STORED) return packed
  throw new ProtocolError('limit', `an entry of the kind ${key.split('/', 1)[0]} has ${bytes.length} bytes, more than the vault takes`)
}

/** The JSON text that the vault has. Rejects with `internal` for what can't be unfolded. */
export async function unpack(bytes) {
  if (!isPacked(bytes)) return bytes
  try {
    return await gunzip(bytes, { maxOutputLength: MAX_UNPACKED })
  } catch {
    throw new ProtocolError('internal', 'the stored auth state can not be read')
  }
}
