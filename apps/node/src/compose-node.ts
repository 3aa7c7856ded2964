import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { marketplaceBehaviour } from '@registry/behaviour'
import {
  type ConfigFlag,
  type ConfigRow,
  defaultDataDir,
  describeConfig,
  type P2PConfig
} from '@registry/config'
import {
  CONTROL_PATH,
  controlHandler,
  createControlToken,
  removeControlFile,
  writeControlFile
} from '@registry/control'
import { parsePeerAddress } from '@registry/discovery'
import { GATEWAY_DEFAULTS, gateway, tokensFolder } from '@registry/gateway'
import { defaultConfig, P2PRegistryBuilder, systemClock } from '@registry/registry'
import { registryStore } from '@registry/store'
import { openHttpServer, parseListen } from './http-server.ts'
import type { NodeComponents, NodeInit, RunningNode } from './node.ts'
import { HTTP_DEFAULTS, loadNodeConfig, namedDataDir } from './node-config.ts'

/** Every setting as it is unless changed. */
export function defaultNodeConfig(): P2PConfig {
  return {
    ...defaultConfig(),
    http: { ...HTTP_DEFAULTS },
    gateway: { origins: [...GATEWAY_DEFAULTS.origins], mirrors: [...GATEWAY_DEFAULTS.mirrors] }
  }
}

/** Where concrete layers meet: settings, store, behaviour, registry, control interface, npm's interface and HTTP server make a peer. */
export async function composeNode(init: NodeInit, components: NodeComponents): Promise<RunningNode> {
  const env = init.env ?? process.env
  const dataDir = resolve(namedDataDir(init.dataDir, env) ?? defaultDataDir(env))
  const flags = init.flags ?? []
  checkBootstrapFlags(flags)
  const loaded = await loadNodeConfig({ ...init, dataDir, env, flags })
  const listen = loaded.overrides.http?.listen ?? HTTP_DEFAULTS.listen
  parseListen(listen)

  const {
    store = registryStore,
    behaviour = marketplaceBehaviour,
    clock = systemClock(),
    logger
  } = components
  const builder = new P2PRegistryBuilder()
    .withConfig(loaded.overrides)
    .withDataDir(dataDir)
    .withClock(clock)
    .withStore(store)
    .withBehaviour(behaviour)
  const registry = (logger === undefined ? builder : builder.withLogger(logger)).build()

  const settings: readonly ConfigRow[] = describeConfig(defaultNodeConfig(), loaded)
  const { maxPackageBytes } = loaded.overrides.limits ?? {}
  const uploadDir = join(dataDir, 'uploads')
  const npm = gateway({
    tokensDir: tokensFolder(dataDir),
    uploadDir,
    upstreamDir: join(dataDir, 'upstream'),
    ...loaded.overrides.gateway,
    ...(maxPackageBytes === undefined ? {} : { maxPackageBytes })
  })({ registry, clock, ...(logger === undefined ? {} : { logger }) })
  const token = createControlToken()
  const control = controlHandler({
    token,
    uploadDir,
    ...(maxPackageBytes === undefined ? {} : { maxPackageBytes })
  })

  await registry.start()
  try {
    // Only now is the folder surely no other process's: what a crash left behind can go.
    await rm(uploadDir, { recursive: true, force: true })
    await npm.start()
    const server = await openHttpServer(listen, [
      {
        prefix: CONTROL_PATH,
        handler: control({
          registry,
          config: () => settings,
          shutdown: () => void stop(),
          ...(logger === undefined ? {} : { logger })
        })
      },
      { prefix: '/', handler: npm.handler }
    ])
    const stopped = Promise.withResolvers<void>()
    // Nobody has to wait for it: `stop` rejects too.
    stopped.promise.catch(() => {})
    let stopping: Promise<void> | undefined
    const stop = (): Promise<void> => {
      stopping ??= (async () => {
        server.refuse()
        try {
          await removeControlFile(dataDir, token)
          await npm.stop()
          await registry.stop()
        } finally {
          // Last, for whoever asked for the end sees it by this.
          await server.close()
        }
      })()
      stopping.then(stopped.resolve, stopped.reject)
      return stopping
    }
    const { peerId, addresses, network } = await registry.status()
    const node: RunningNode = {
      registry,
      peerId,
      addresses,
      network,
      dataDir,
      http: server.url,
      stop,
      stopped: stopped.promise
    }
    try {
      await writeControlFile(dataDir, {
        url: server.url,
        token,
        pid: process.pid,
        peerId,
        startedAtMs: clock.now()
      })
    } catch (error) {
      await server.close()
      throw error
    }
    return node
  } catch (error) {
    await npm.stop()
    await registry.stop()
    throw error
  }
}

/** The schema knows that it is an address; only here it is read as one, with a hint for whoever typed it. */
function checkBootstrapFlags(flags: readonly ConfigFlag[]): void {
  for (const { path, value } of flags) {
    if (path !== 'bootstrap.nodes' || !Array.isArray(value)) continue
    for (const address of value) parsePeerAddress(address)
  }
}
