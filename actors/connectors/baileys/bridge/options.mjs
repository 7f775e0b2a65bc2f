// The start line: read strictly, with defaults. Pure.

export const PROTOCOL = 1
export const CONNECTOR = 'baileys'

/** Longest path of a Unix socket in bytes (sockaddr_un without the ending zero). */
const MAX_PATH = 107

const DEFAULT_ADMISSION = { connectsPerSecond: 5, burst: 1, pairings: 2 }

const isNumber = (value, least, most) => typeof value === 'number' && value >= least && value <= most
const duration = most => ({ check: value => Number.isSafeInteger(value) && value >= 1 && value <= most, expected: `milliseconds, 1 to ${most}` })

/** option -> [default, {check, expected}] */
const OPTIONS = {
  heartbeatMs: [10_000, duration(600_000)],
  heartbeatTimeoutMs: [8_000, duration(600_000)],
  openDeadlineMs: [45_000, duration(600_000)],
  ackTimeoutMs: [60_000, duration(3_600_000)],
  websocketUrl: ['wss://web.whatsapp.com/ws/chat', { check: value => typeof value === 'string' && /^wss?:\/\//.test(value) && URL.canParse(value), expected: 'a ws:// or wss:// address' }],
  noiseRootKey: [null, { check: value => typeof value === 'string' && /^[0-9a-f]{64}$/i.test(value), expected: '32 bytes in hex, or null' }],
  clientVersion: [null, { check: value => Array.isArray(value) && value.length === 3 && value.every(part => Number.isSafeInteger(part) && part >= 0), expected: 'three numbers, or null' }],
  standingMs: [900_000, duration(86_400_000)],
  pairingTimeoutMs: [300_000, duration(3_600_000)]
}

/** A start line, or a field of it, is not what it should be. */
export class BadStart extends Error {
  name = 'BadStart'
}

/** {socket, vault, host, options, admission} of the start line. Throws BadStart. */
export function readStart(line) {
  let values
  try {
    values = JSON.parse(line)
  } catch {
    throw new BadStart('the start line is not JSON')
  }
  if (!isMap(values)) throw new BadStart('the start line is not a map')
  if (values.protocol !== PROTOCOL) throw new BadStart(`protocol: expected ${PROTOCOL}`)
  if (values.connector !== CONNECTOR) throw new BadStart(`connector: expected ${CONNECTOR}`)
  return {
    socket: path(values, 'socket'),
    vault: path(values, 'vault'),
    host: text(values, 'host'),
    options: readOptions(values.options ?? {}),
    admission: readAdmission(values.admission ?? DEFAULT_ADMISSION)
  }
}

/** All options with their defaults; unknown ones are those of other connectors. Throws BadStart. */
export function readOptions(values) {
  if (!isMap(values)) throw new BadStart('options: expected a map')
  return Object.fromEntries(Object.entries(OPTIONS).map(([name, [fallback, { check, expected }]]) => {
    const value = values[name] ?? fallback
    if (value !== null && !check(value)) throw new BadStart(`options.${name}: expected ${expected}`)
    return [name, value]
  }))
}

/** {connectsPerSecond, burst, pairings, byHost}. Throws BadStart. */
export function readAdmission({ connectsPerSecond, burst, pairings, byHost = false }) {
  if (!isNumber(connectsPerSecond, 0, 1e6)) throw new BadStart('connectsPerSecond: expected a number, 0 or more')
  if (!Number.isSafeInteger(burst) || burst < 1) throw new BadStart('burst: expected a whole number, 1 or more')
  if (!Number.isSafeInteger(pairings) || pairings < 0) throw new BadStart('pairings: expected a whole number, 0 or more')
  if (typeof byHost !== 'boolean') throw new BadStart('byHost: expected true or false')
  return { connectsPerSecond, burst, pairings, byHost }
}

function path(values, name) {
  const value = text(values, name)
  if (Buffer.byteLength(value) > MAX_PATH) throw new BadStart(`${name}: longer than ${MAX_PATH} bytes`)
  return value
}

function text(values, name) {
  if (typeof values[name] !== 'string' || values[name] === '') throw new BadStart(`${name}: expected a text`)
  return values[name]
}

function isMap(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
