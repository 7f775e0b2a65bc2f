// HTTP control port: JSON in, JSON out, loopback only. README.md documents it.
import http from 'node:http'
import { BufferJSON } from '@whiskeysockets/baileys'

const HOST = '127.0.0.1'
const MAX_WAIT_MS = 30_000
const MAX_BODY_BYTES = 1 << 20
/** Longer than a client keeps an idle connection: else one could be closed here at the moment in which it is used again. */
const KEEP_ALIVE_MS = 60_000

class BadRequest extends Error {}

const number = (query, name) => {
  const value = Number(query.get(name) ?? 0)
  if (!Number.isFinite(value) || value < 0) throw new BadRequest(`${name} is not a number of 0 or more`)
  return value
}

const need = (body, ...names) => {
  for (const name of names) if (body[name] === undefined) throw new BadRequest(`"${name}" is missing`)
  return body
}

/** "METHOD /path" -> handler. GET handlers get the query, POST handlers the JSON body. */
function routes(lab, shutdown) {
  return {
    'GET /state': () => lab.state(),
    'GET /messages': query => lab.router.log.since(number(query, 'since')),
    'GET /journal': query => lab.journal.wait({
      after: number(query, 'after'), since: number(query, 'since'), kinds: query.getAll('kind').flatMap(kinds => kinds.split(','))
    }, Math.min(number(query, 'wait'), MAX_WAIT_MS)),
    'POST /creds': body => {
      const creds = lab.accounts.makeCredentials(need(body, 'phone').phone, body.device)
      return JSON.parse(JSON.stringify(creds, BufferJSON.replacer))
    },
    'POST /scan': body => lab.pairing.scan(need(body, 'qr', 'phone').qr, body.phone),
    'POST /enter-code': async body => {
      await lab.pairing.enterCode(need(body, 'phone', 'code').phone, body.code)
      return {}
    },
    'POST /deliver': body => lab.router.deliver(need(body, 'to', 'from', 'text')),
    'POST /fault': body => lab.fault(need(body, 'kind')),
    'POST /account': body => lab.configure(need(body, 'phone').phone, body),
    'POST /unlink': body => {
      const account = lab.accounts.get(need(body, 'phone', 'device').phone)
      const device = account.devices.get(Number(body.device))
      if (!device) throw new BadRequest(`${body.phone} has no device ${body.device}`)
      lab.removeDevice(account, device, 'phone')
      return {}
    },
    'POST /defaults': body => lab.setDefaults(body),
    'POST /connect-rules': body => {
      lab.rules.set(body.rules ?? [need(body, 'kind')])
      return { rules: lab.rules.list() }
    },
    'POST /listen': async body => {
      if (body.on === false) await lab.unlisten({ kill: body.kill === true })
      else await lab.listen()
      return { listening: body.on !== false, port: lab.port }
    },
    'POST /reset': body => {
      lab.reset(body)
      return {}
    },
    'POST /shutdown': () => {
      setImmediate(shutdown)
      return {}
    }
  }
}

async function readBody(request) {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > MAX_BODY_BYTES) throw new BadRequest('the body is too large')
  }
  return text ? JSON.parse(text) : {}
}

/** Start the control port. Returns the HTTP server, listening. */
export async function startControl(lab, { port = 0, shutdown }) {
  const table = routes(lab, shutdown)
  const server = http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://lab')
    const handler = table[`${request.method} ${pathname}`]
    let status = 200
    let answer
    try {
      if (handler) answer = await handler(request.method === 'POST' ? await readBody(request) : searchParams)
      else [status, answer] = [404, { error: 'no such route', routes: Object.keys(table) }]
    } catch (error) { // whatever a verb throws is the caller's to read
      status = 400
      answer = { error: error.message }
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, resolve)
  })
  return server
}
