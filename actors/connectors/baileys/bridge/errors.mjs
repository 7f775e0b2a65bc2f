// The one error that travels over a link: a code of the protocol, a sentence, and details.

export class ProtocolError extends Error {
  /** `code` is one of the protocol's error codes; `data` a map of plain values, or undefined. */
  constructor(code, message, data) {
    super(message)
    this.name = 'ProtocolError'
    this.code = code
    this.data = data
  }
}

/** The `err` map for any thrown value; what is not a ProtocolError tells nothing of its inside. */
export function toWire(error) {
  if (!(error instanceof ProtocolError)) return { code: 'internal', message: 'the connector failed; its log says more' }
  return { code: error.code, message: error.message, ...(error.data === undefined ? {} : { data: error.data }) }
}

const CONNECTION_CLOSED = 428

/** Whether Baileys rejected because the connection ended: its own error, a WebSocket's bare close code, or ours. */
export function isConnectionLoss(error) {
  return error instanceof ProtocolError || typeof error === 'number' || error?.output?.statusCode === CONNECTION_CLOSED
}
