import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { inNameOf } from '../guards.mjs'
import { ProxyError, Route, readProxy } from '../proxy.mjs'

const closing = []
after(() => { for (const close of closing) close() })

async function listen(server) {
  const sockets = new Set()
  server.on('connection', socket => { sockets.add(socket); socket.once('close', () => sockets.delete(socket)) })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => { server.close(); for (const socket of sockets) socket.destroy() })
  return { port: server.address().port, sockets }
}

/** A CONNECT proxy that takes every name for this machine. */
async function proxy(answer = '200 Connection established') {
  const asked = []
  const server = http.createServer().on('connect', ({ url, headers }, socket) => {
    asked.push({ url, login: headers['proxy-authorization'] })
    if (!answer.startsWith('200')) return void socket.end(`HTTP/1.1 ${answer}\r\n\r\n`)
    const far = net.connect(Number(url.split(':').at(-1)), '127.0.0.1', () => {
      socket.write(`HTTP/1.1 ${answer}\r\n\r\n`)
      socket.pipe(far).pipe(socket)
    })
    for (const end of [socket, far]) end.on('error', () => {})
  })
  return { asked, ...await listen(server) }
}

const echo = () => listen(http.createServer((request, response) => response.end(`${request.headers.host} ${request.url}`)))

test('what is fetched goes through it, with its login, and the name is its to look up', async () => {
  const [{ port }, far] = [await echo(), await proxy()]
  const route = new Route(new URL(`http://u:p%40@127.0.0.1:${far.port}`), 5000)
  const answer = await fetch(`http://mmg.test:${port}/a`, { dispatcher: route.dispatcher })
  assert.equal(await answer.text(), `mmg.test:${port} /a`)
  assert.deepEqual(far.asked, [{ url: `mmg.test:${port}`, login: `Basic ${Buffer.from('u:p@').toString('base64')}` }])
  route.close()
  assert.throws(() => route.dispatcher, ProxyError)
})

test('so does what has an agent', async () => {
  const [{ port }, far] = [await echo(), await proxy()]
  const route = new Route(new URL(`http://127.0.0.1:${far.port}`), 5000)
  const body = await new Promise((resolve, reject) => http.get({ host: 'a.test', port, path: '/b', agent: route.agent(false) }, response => {
    response.setEncoding('utf8').once('data', resolve)
  }).once('error', reject))
  assert.equal(body, `a.test:${port} /b`)
  assert.deepEqual(far.asked, [{ url: `a.test:${port}`, login: undefined }])
})

for (const [answer, why] of [['407 Proxy Authentication Required', 'auth'], ['502 Bad Gateway', 'refused'], ['403 Forbidden', 'refused']]) {
  test(`${answer} is the proxy's failure, not the server's`, async () => {
    const far = await proxy(answer)
    const route = new Route(new URL(`http://u:zk7@127.0.0.1:${far.port}`), 5000)
    const request = http.get({ host: 'a.test', port: 1, agent: route.agent(false) })
    const error = await new Promise(resolve => request.once('error', resolve))
    assert.ok(error instanceof ProxyError)
    assert.deepEqual(error.data, { proxy: why, status: answer.slice(0, 3) })
    assert.doesNotMatch(JSON.stringify([error.message, error.stack]), /zk7/)
  })
}

test('a connection that is over dials no more, and leaves no socket', async () => {
  const silent = await listen(net.createServer(() => {}))
  const route = new Route(new URL(`http://127.0.0.1:${silent.port}`), 60_000)
  const request = http.get({ host: 'a.test', port: 1, agent: route.agent(false) })
  const failed = new Promise(resolve => request.once('error', resolve))
  while (silent.sockets.size === 0) await new Promise(resolve => setImmediate(resolve))
  const gone = new Promise(resolve => [...silent.sockets][0].once('close', resolve).resume())
  route.close()
  assert.ok(await failed instanceof ProxyError)
  await gone
})

/** A SOCKS5 proxy without a login, which is the server behind it as well and says nothing. */
const socks = () => listen(net.createServer(socket => {
  const answers = [Buffer.from([5, 0]), Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])]
  socket.on('data', () => { if (answers.length > 0) socket.write(answers.shift()) }).on('error', () => {})
}))

/** Collects garbage until `isGone` says so; false if it never does. */
async function collected(isGone) {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  for (let tries = 0; tries < 20 && !isGone(); tries++) {
    await new Promise(resolve => setImmediate(resolve)) // what was looked at is kept until then
    gc()
  }
  return isGone()
}

for (const [scheme, serve] of [['http', proxy], ['socks5', socks]]) {
  test(`a dial over ${scheme} keeps nothing of the connection that it was for`, async () => {
    const [far, near] = [await serve(), await listen(net.createServer(socket => socket.on('error', () => {})))]
    const owner = await (async () => { // nothing out here knows it but weakly
      const connection = { session: 'a', fault: () => {}, keys: Buffer.alloc(1) }
      await inNameOf(connection, async () => {
        const route = new Route(new URL(`${scheme}://u:zk7@127.0.0.1:${far.port}`), 3_600_000)
        await new Promise(resolve => route.agent(false).createConnection({ host: 'a.test', port: near.port }, (_, socket) => {
          socket.once('close', resolve).destroy()
        }))
        route.close()
      })
      return new WeakRef(connection)
    })()
    assert.ok(await collected(() => owner.deref() === undefined))
  })
}

test('what a proxy may be', () => {
  assert.equal(readProxy(undefined), null)
  assert.equal(readProxy(null), null)
  assert.equal(readProxy({ id: 'a.1', url: 'socks5h://u:p@[::1]:1' }).url.port, '1')
  for (const wrong of [{ id: 'a b', url: 'http://h' }, { id: 'a', url: 'ws://zk7@h' }, { id: 'a', url: 'http://%ff:zk7@h' }, { id: 'a', url: 1 }, 'zk7', 1]) {
    assert.throws(() => readProxy(wrong), ({ code, message }) => code === 'bad_request' && !message.includes('zk7'))
  }
})
