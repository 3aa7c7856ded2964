import { join } from 'node:path'
import type { P2PConfig, P2PConfigOverrides } from '@registry/config'
import { defaultNodeConfig, HTTP_DEFAULTS, loadNodeConfig } from '@registry/node'
import { isRegistryError } from '@registry/types'
import { plural } from '../output.ts'
import { type CommonOptions, connectToPeer, dataDirOf } from '../peer.ts'
import { examineCatalogue } from './catalogue.ts'
import { examineDataDir, examineKey } from './files.ts'
import { examineMulticast, examinePort } from './network.ts'

export interface Finding {
  check: string
  status: 'ok' | 'warn' | 'fail'
  message: string
  hint?: string
}

export function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message }
}

/** Looks at everything a peer needs, in the order in which it needs it. */
export async function examine(
  options: CommonOptions & { config?: string },
  signal: AbortSignal
): Promise<Finding[]> {
  const dataDir = dataDirOf(options)
  const { overrides, finding: configuration } = await examineConfig(dataDir, options.config, signal)
  const { security, bootstrap } = withDefaults(await defaultNodeConfig(), overrides)
  return [
    examineNode(),
    configuration,
    ...(await examineDataDir(dataDir)),
    await examineCatalogue(dataDir),
    await examineKey('peer key', security.identityPath ?? join(dataDir, 'identity.key'), async (path) => {
      const { loadOrCreatePeerKey } = await import('@registry/behaviour')
      await loadOrCreatePeerKey({ path, keyType: security.keyType })
    }),
    await examineKey('owner key', join(dataDir, 'owner.key'), async (path) => {
      const { loadOrCreateOwner } = await import('@registry/identity')
      await loadOrCreateOwner(path)
    }),
    ...(await examinePeer(options, overrides.http?.listen ?? HTTP_DEFAULTS.listen, signal)),
    bootstrap.mdns ? await examineMulticast(signal) : ok('multicast', 'Multicast DNS is switched off.')
  ]
}

function examineNode(): Finding {
  const { node } = process.versions
  if (Number.parseInt(node, 10) >= 22) return ok('node', `Node ${node}`)
  return { check: 'node', status: 'fail', message: `Node ${node}`, hint: 'Install Node 22 or later.' }
}

async function examineConfig(
  dataDir: string,
  configFile: string | undefined,
  signal: AbortSignal
): Promise<{ overrides: P2PConfigOverrides; finding: Finding }> {
  const check = 'configuration'
  try {
    const file = configFile === undefined ? {} : { configFile }
    const { overrides, origins } = await loadNodeConfig({ dataDir, env: process.env, signal, ...file })
    const message = origins.size === 0 ? 'Everything at its default.' : `${origins.size} settings, all valid.`
    return { overrides, finding: ok(check, message) }
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const { message, hint = '' } = error
    return { overrides: {}, finding: { check, status: 'fail', message, hint } }
  }
}

/** Whether a peer runs, and if it does, whether it has anybody to talk to; else whether one could serve. */
async function examinePeer(options: CommonOptions, listen: string, signal: AbortSignal): Promise<Finding[]> {
  try {
    const client = await connectToPeer(options, { signal })
    const { connectedPeers, pendingAnnouncements } = await client.status({ signal })
    const running = ok('peer', `A peer answers at ${client.url}.`)
    if (connectedPeers > 0)
      return [running, ok('connections', `Connected to ${plural(connectedPeers, 'peer')}.`)]
    return [
      running,
      {
        check: 'connections',
        status: 'warn',
        message: `No peer is connected; to announce: ${plural(pendingAnnouncements, 'record')}.`,
        hint: 'Name one: registry bootstrap /ip4/…/tcp/…/p2p/…'
      }
    ]
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const { code, message, hint = '' } = error
    const status = code === 'ERR_NO_PEER' ? 'warn' : 'fail'
    return [{ check: 'peer', status, message: `${message}.`, hint }, await examinePort(listen)]
  }
}

function withDefaults(
  defaults: P2PConfig,
  overrides: P2PConfigOverrides
): Pick<P2PConfig, 'security' | 'bootstrap'> {
  return {
    security: { ...defaults.security, ...overrides.security },
    bootstrap: { ...defaults.bootstrap, ...overrides.bootstrap }
  }
}
