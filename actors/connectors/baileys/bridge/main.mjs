// The connector process: a start line on standard input, a ready line on standard output, everything else on its socket.
import './quiet.mjs'
import './isolation.mjs'
import fs from 'node:fs'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Gate } from './gate.mjs'
import { installGuards, uncaught } from './guards.mjs'
import { Kept } from './kept.mjs'
import { Links } from './links.mjs'
import { describe, log } from './log.mjs'
import { CONNECTOR, PROTOCOL, readStart } from './options.mjs'
import { BAILEYS_VERSION, trustRoot } from './socket.mjs'
import { VaultLink } from './vault.mjs'

/** How long the end of the process waits for commits that are on their way. */
const DRAIN_MS = 700
const LAG_RESOLUTION_MS = 50
const PRIVATE = 0o177
const BAD_START = 2

/** The first line of standard input, or null; after it, the end of the input means that the host is gone. */
function startLine(onGone) {
  const lines = createInterface({ input: process.stdin })
  return new Promise(resolve => {
    lines.once('close', () => resolve(null))
    lines.once('line', line => {
      lines.once('close', onGone)
      resolve(line)
    })
  })
}

function meter() {
  const delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  delay.enable()
  return () => {
    const lagMs = Math.max(0, delay.max / 1e6 - LAG_RESOLUTION_MS)
    delay.reset()
    const { user, system } = process.cpuUsage()
    return { rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000, lagMs }
  }
}

async function listen(path, accept) {
  if (fs.lstatSync(path, { throwIfNoEntry: false })?.isSocket()) fs.unlinkSync(path)
  process.umask(PRIVATE) // the socket must never be open to others, not even for a moment
  const server = net.createServer(accept)
  await new Promise((resolve, reject) => server.once('error', reject).listen(path, resolve))
  server.on('error', error => log('error', 'accept_failed', describe(error)))
}

async function main() {
  let links = null
  let leaving = false
  const leave = async () => {
    if (leaving) return
    leaving = true
    setTimeout(() => process.exit(0), DRAIN_MS)
    await links?.closeAll()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {}) // meant for the host, which decides
  const line = await startLine(leave)
  if (line === null) return leave() // it was started ahead of time, and is not needed
  const start = readStart(line)
  installGuards()
  process.on('SIGTERM', leave)
  if (start.options.noiseRootKey) trustRoot(start.options.noiseRootKey)

  const untold = () => log('warning', 'undecryptable_untold', { error: 'the host stores nothing: of what could not be decrypted no more is told, only counted' })
  const counts = { logins: 0, pairings: 0, closed: 0, sends: 0, acks: 0, nacks: 0, received: 0, undecryptable: 0, untold: 0, get uncaught() { return uncaught.count } }
  const shared = { options: start.options, vault: new VaultLink(start.vault), gate: new Gate(start.admission), kept: new Kept(untold), counts, now: Date.now }
  links = new Links({ shared, stats: meter(), version: BAILEYS_VERSION, onHostGone: leave })
  await listen(start.socket, socket => links.accept(socket))
  process.stdout.write(JSON.stringify({ ready: true, protocol: PROTOCOL, connector: CONNECTOR, version: BAILEYS_VERSION, pid: process.pid }) + '\n')
}

try {
  await main()
} catch (error) {
  log('error', 'start_failed', describe(error))
  process.exit(BAD_START)
}
