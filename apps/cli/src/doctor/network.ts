import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Finding, ok } from './examine.ts'

/** Where multicast DNS is spoken. */
const MDNS_GROUP = '224.0.0.251'
const ECHO_TIMEOUT_MS = 1000

/** Whether a peer could listen there. */
export async function examinePort(listen: string): Promise<Finding> {
  const check = 'HTTP port'
  const [, host = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(listen) ?? []
  const server = createServer()
  try {
    server.listen(Number(port), host)
    await once(server, 'listening')
    return ok(check, `${listen} is free.`)
  } catch (error) {
    const message = `${listen} cannot be listened on: ${error instanceof Error ? error.message : String(error)}.`
    return { check, status: 'fail', message, hint: 'Start with another one, as --http 127.0.0.1:0.' }
  } finally {
    server.close()
  }
}

/** Whether this machine hears what it says to the group, on a port of its own so that nobody else does. */
export async function examineMulticast(signal: AbortSignal): Promise<Finding> {
  const check = 'multicast'
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    socket.bind(0)
    await once(socket, 'listening')
    socket.addMembership(MDNS_GROUP)
    socket.setMulticastLoopback(true)
    const heard = once(socket, 'message', {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ECHO_TIMEOUT_MS)])
    })
    socket.send('echo', socket.address().port, MDNS_GROUP)
    await heard
    return ok(check, 'Peers of the local network can be found.')
  } catch (error) {
    signal.throwIfAborted()
    const reason = error instanceof Error ? error.message : String(error)
    return {
      check,
      status: 'warn',
      message: `No multicast (${reason}): peers of the local network are not found by themselves.`,
      hint: 'Allow UDP to 224.0.0.251:5353 in the firewall, or name peers with --bootstrap.'
    }
  } finally {
    socket.close()
  }
}
