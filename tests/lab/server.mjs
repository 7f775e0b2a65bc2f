#!/usr/bin/env node
// Stand-alone lab server. One JSON line on stdout when it is ready; README.md has the options and the control port.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

// libsignal prints session records, private keys included, with console.*: silence it before anything is imported.
for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace']) console[method] = () => {}

const { BufferJSON, Curve } = await import('@whiskeysockets/baileys')
const { Lab } = await import('./lib/lab.mjs')
const { startControl } = await import('./lib/control.mjs')

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    control: { type: 'string', default: '0' },
    root: { type: 'string' },
    defaults: { type: 'string', default: '{}' },
    'no-auto-accept': { type: 'boolean', default: false },
    'exit-with-stdin': { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false }
  }
})

/** Key pair of the certificate root, kept in a file so that clients need not learn a new one after a restart. */
function rootKey(path) {
  if (!path) return undefined
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'), BufferJSON.reviver)
  const pair = Curve.generateKeyPair()
  writeFileSync(path, JSON.stringify(pair, BufferJSON.replacer), { mode: 0o600 })
  return pair
}

const lab = new Lab({
  port: Number(options.port), root: rootKey(options.root), defaults: JSON.parse(options.defaults),
  autoAccept: !options['no-auto-accept']
})
const exit = () => process.exit(0)
if (options.verbose) lab.journal.on('entry', entry => process.stderr.write(JSON.stringify(entry) + '\n'))
if (options['exit-with-stdin']) process.stdin.on('end', exit).on('error', exit).resume()
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, exit)

await lab.listen()
const control = await startControl(lab, {
  port: Number(options.control),
  shutdown: () => { lab.stop().finally(exit) }
})
process.stdout.write(JSON.stringify({
  ready: true, pid: process.pid, ws: lab.url, control: `http://127.0.0.1:${control.address().port}`,
  rootKey: Buffer.from(lab.identity.root.public).toString('hex')
}) + '\n')
