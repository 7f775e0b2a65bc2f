// One JSON object a line on standard error, for the host to relay. Never key material, never a whole phone number.

const MESSAGE_LIMIT = 300
const STACK_FRAMES = 4

/** The text with each phone number (7 digits or more) cut to its last two digits, and cut to a sane length. */
export function masked(text) {
  return String(text).slice(0, MESSAGE_LIMIT).replace(/\d{5,}(?=\d{2})/g, '…')
}

/** What of an error may be written down: its name, its masked message, and where it was thrown. */
export function describe(error) {
  if (!(error instanceof Error)) return { error: masked(typeof error === 'string' ? error : Object.prototype.toString.call(error)) }
  const frames = String(error.stack ?? '').split('\n').filter(line => /^\s+at /.test(line)).slice(0, STACK_FRAMES)
  return {
    error: `${error.name}: ${masked(error.message)}`,
    at: frames.map(line => line.trim().replace(/^at /, '').replace(/\(?(?:file:\/\/)?\/\S*\//, '(')).join(' < ')
  }
}

/** Write one line. `fields` are strings, numbers, booleans or null; session ids are no personal data. */
export function log(level, event, fields = {}) {
  process.stderr.write(JSON.stringify({ level, event, ...fields }) + '\n')
}
