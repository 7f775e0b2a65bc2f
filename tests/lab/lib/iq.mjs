// Answers to the client's `iq` queries: keys, device lists, properties.
import { encodeBigEndian } from '@whiskeysockets/baileys'
import { SERVER, bytes, child, children, lidJid, node, parseJid, phoneJid, refusal, result, uint, unixSeconds } from './stanza.mjs'

const PRE_KEYS_LOW = 5 // Baileys uploads more when told that fewer are left
const PRIVACY = ['readreceipts', 'last', 'online', 'profile', 'status', 'groupadd', 'calladd']

const first = iq => (Array.isArray(iq.content) ? iq.content[0] : undefined)

/** xmlns -> (lab, connection, iq) -> content of the result, or nothing when the handler answered itself. */
const ANSWERS = {
  'w:p': (lab, connection) => {
    lab.stats.pings++
    connection.lastPing = Date.now()
  },
  abt: () => [node('props', { protocol: '1', hash: 'lab', refresh: '86400' }, [])],
  blocklist: () => [node('list', { dhash: '0' }, [])],
  privacy: (_lab, _connection, iq) => {
    if (first(iq)?.tag === 'tokens') return [node('tokens')]
    if (iq.attrs.type !== 'get') return undefined
    return [node('privacy', {}, PRIVACY.map(name => node('category', { name, value: 'all' })))]
  },
  'w:mex': (_lab, connection) => {
    const { reachoutTimelock, messageCapping } = connection.policy
    const data = { xwa2_fetch_account_reachout_timelock: reachoutTimelock, xwa2_message_capping_info: messageCapping }
    return [node('result', {}, Buffer.from(JSON.stringify({ data })))]
  },
  'w:sync:app:state': (_lab, _connection, iq) => [node('sync', {}, children(first(iq), 'collection').map(({ attrs }) =>
    node('collection', { name: attrs.name, version: '0', type: 'result' })))],
  'w:m': () => [node('media_conn', { auth: 'lab', ttl: '3600' }, [])],
  usync: (lab, connection, iq) => deviceLists(lab, connection, iq),
  passive: (lab, connection, iq) => {
    if (first(iq)?.tag === 'active' && connection.device?.awaitsHistory) lab.router.sendHistory(connection)
  }
}

/** Answer one `iq` of type get or set. An unknown namespace gets an empty result, as most settings do. */
export function answerIq(lab, connection, iq) {
  const { xmlns } = iq.attrs
  if (xmlns === 'md') return linkedDevices(lab, connection, iq)
  if (xmlns === 'encrypt') return keys(lab, connection, iq)
  const answer = Object.hasOwn(ANSWERS, xmlns ?? '') ? ANSWERS[xmlns](lab, connection, iq) : undefined
  return connection.send(result(iq, answer))
}

// ---- linked devices

function linkedDevices(lab, connection, iq) {
  const request = first(iq)
  if (request?.tag === 'remove-companion-device') {
    connection.send(result(iq))
    const target = connection.account?.devices.get(parseJid(request.attrs.jid)?.device)
    if (target) lab.removeDevice(connection.account, target, 'logout')
    return undefined
  }
  if (request?.tag !== 'link_code_companion_reg') return connection.send(result(iq))
  if (request.attrs.stage === 'companion_hello') return connection.send(result(iq, lab.pairing.companionHello(connection, request)))
  connection.send(result(iq))
  return lab.pairing.companionFinish(connection, request)
}

// ---- pre-keys

function keys(lab, connection, iq) {
  const { device } = connection
  if (!device) return connection.send(refusal(iq, 401, 'not-authorized'))
  if (iq.attrs.type === 'set') return upload(lab, connection, iq)
  switch (first(iq)?.tag) {
    case 'count':
      return connection.send(result(iq, [node('count', { value: String(connection.policy.preKeyCount ?? device.preKeys.length) })]))
    case 'digest':
      return connection.send(result(iq, device.reachable ? [node('digest', {}, [])] : undefined))
    case 'key': {
      const users = children(first(iq), 'user').map(user => bundleNode(lab, user.attrs.jid))
      return connection.send(result(iq, [node('list', {}, users)]))
    }
    default:
      return connection.send(refusal(iq, 400, 'bad-request'))
  }
}

const signedKey = skey => skey && { id: uint(bytes(skey, 'id')), value: bytes(skey, 'value'), signature: bytes(skey, 'signature') }

function upload(lab, connection, iq) {
  const { account, device } = connection
  const wasReachable = device.reachable
  const rotated = first(iq)?.tag === 'rotate' ? child(first(iq), 'skey') : undefined
  const registration = bytes(iq, 'registration')
  device.upload({
    identity: bytes(iq, 'identity'),
    registrationId: registration && uint(registration),
    signedPreKey: signedKey(rotated ?? child(iq, 'skey')),
    preKeys: children(child(iq, 'list'), 'key').map(key => ({ id: uint(bytes(key, 'id')), value: bytes(key, 'value') }))
  })
  device.toldLow = false
  connection.send(result(iq))
  lab.journal.add('keys_uploaded', { ...connection.who, preKeys: device.preKeys.length })
  if (!wasReachable && device.reachable) lab.announce(account, device, 'add')
}

/** Key bundle of the phone or of one companion device; an error node for a device that isn't there. */
function bundleNode(lab, jid) {
  const target = lab.accounts.resolve(jid)
  const device = target && target.deviceId > 0 ? target.account.devices.get(target.deviceId) : undefined
  if (!target || (target.deviceId > 0 && !device?.reachable)) {
    return node('user', { jid }, [node('error', { code: '404', text: 'item-not-found' })])
  }
  const bundle = device ? device.takeBundle() : target.account.phone.bundle()
  if (device) warnWhenLow(lab, target.account, device)
  const { registrationId, identity, signedPreKey, preKey, identityProof } = bundle
  const content = [
    node('registration', {}, encodeBigEndian(registrationId)),
    node('type', {}, Buffer.from([5])),
    node('identity', {}, identity),
    node('skey', {}, [
      node('id', {}, encodeBigEndian(signedPreKey.id, 3)), node('value', {}, signedPreKey.value),
      node('signature', {}, signedPreKey.signature)])
  ]
  if (preKey) content.push(node('key', {}, [node('id', {}, encodeBigEndian(preKey.id, 3)), node('value', {}, preKey.value)]))
  if (identityProof) content.push(node('device-identity', {}, identityProof))
  return node('user', { jid, t: unixSeconds() }, content)
}

/** Tell a connected device, once, that its one-time pre-keys run out; at login it asks for the count itself. */
export function warnWhenLow(lab, account, device) {
  if (device.toldLow || device.preKeys.length >= PRE_KEYS_LOW) return
  const value = String(device.preKeys.length)
  for (const connection of lab.connectionsOf(account, device)) {
    if (!connection.listening) continue
    device.toldLow = true
    const attrs = { from: SERVER, type: 'encrypt', id: lab.newId('low'), t: unixSeconds() }
    connection.send(node('notification', attrs, [node('count', { value })]))
    lab.journal.add('pre_keys_low', { ...connection.who, left: device.preKeys.length })
  }
}

// ---- device lists

function deviceLists(lab, connection, iq) {
  const usync = child(iq, 'usync')
  const asked = new Set(child(usync, 'query').content.map(({ tag }) => tag))
  const users = children(child(usync, 'list'), 'user').map(user => userNode(lab, connection, asked, user))
  return [node('usync', { ...usync.attrs }, [node('result'), node('list', {}, users)])]
}

function userNode(lab, connection, asked, user) {
  const phone = bytes(user, 'contact')?.toString().replace(/\D/g, '')
  const jid = user.attrs.jid ?? phoneJid(phone)
  const account = lab.accounts.resolve(jid)?.account
  const exists = account !== undefined && lab.accounts.policyOf(account).registered
  const content = []
  if (asked.has('contact')) content.push(node('contact', { type: exists ? 'in' : 'out' }))
  if (exists && asked.has('devices')) {
    if (connection.account) account.watchers.add(connection.account)
    const list = [node('device', { id: '0' }),
      ...account.companions().map(({ id }) => node('device', { id: String(id), 'key-index': String(id) }))]
    content.push(node('devices', {}, [node('device-list', { hash: '2:lab' }, list)]))
  }
  if (exists && asked.has('lid') && !parseJid(jid).lid) content.push(node('lid', { val: lidJid(account.lid) }))
  return node('user', { jid }, content)
}
