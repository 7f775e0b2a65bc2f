import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

/** Runs a script with the guards in a process of its own; what it printed, and its log. */
function guarded(body) {
  const script = `
    import '${new URL('../quiet.mjs', import.meta.url)}'
    import net from 'node:net'
    import { inNameOf, installGuards } from '${new URL('../guards.mjs', import.meta.url)}'
    installGuards()
    const owner = name => ({ session: name, fault: error => process.stdout.write(name + ':' + error.message + '\\n') })
    ${body}`
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', `${script}; process.once('beforeExit', () => process.stdout.write('alive'))`], { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  return out.split('\n')
}

test('a rejection ends the session that it came from', () => {
  assert.deepEqual(guarded(`
    inNameOf(owner('a'), async () => { await null; throw new Error('in a') })
    inNameOf(owner('b'), () => setTimeout(() => Promise.reject(new Error('in b')), 10))`), ['a:in a', 'b:in b', 'alive'])
})

test('an exception in a socket\'s callback, too', () => {
  assert.deepEqual(guarded(`
    const server = net.createServer(socket => socket.end('x').on('close', () => server.close())).listen(0, '127.0.0.1', () => {
      inNameOf(owner('a'), () => net.connect(server.address().port, '127.0.0.1').on('data', () => { throw new Error('in a') }))
    })`), ['a:in a', 'alive'])
})

test('what belongs to nobody is only written down', () => {
  assert.deepEqual(guarded(`Promise.reject(new Error('whose?')); setTimeout(() => { throw new Error('whose?') })`), ['alive'])
})

test('nothing can write through the console', () => {
  assert.deepEqual(guarded(`console.log('key'); console.info('key'); console.dir({ key: 1 }); console.table([1])`), ['alive'])
})
