import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigRow } from '@registry/config'
import { CONTROL_PATH, type ControlHandlerInit, controlHandler, createControlToken } from '../src/index.ts'
import { MemoryRegistry } from './memory-registry.ts'

export interface RawAnswer {
  status: number | undefined
  headers: IncomingHttpHeaders
  body: string
}

export interface Served extends AsyncDisposable {
  readonly registry: MemoryRegistry
  readonly url: string
  readonly port: number
  readonly token: string
  readonly uploadDir: string
  /** A folder that goes with it. */
  readonly home: string
  readonly logged: string[]
  /** One request, as anything may send it. */
  raw(
    path: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array }
  ): Promise<RawAnswer>
  close(): Promise<void>
}

export const SETTINGS: readonly ConfigRow[] = [
  {
    path: 'network.name',
    value: 'test',
    origin: { kind: 'flag', where: '--network' },
    description: 'Which network',
    env: ['REGISTRY_NETWORK_NAME']
  },
  {
    path: 'sync.intervalMs',
    value: 60_000,
    origin: { kind: 'default' },
    description: 'How often',
    env: [],
    unit: 'ms'
  }
]

/** A peer in memory behind the handler, on a port of its own. */
export async function serve(init: Partial<ControlHandlerInit> = {}): Promise<Served> {
  const registry = new MemoryRegistry()
  const token = createControlToken()
  const home = await mkdtemp(join(tmpdir(), 'registry-control-'))
  const uploadDir = join(home, 'uploads')
  const logged: string[] = []
  const log = (_part: string, _message: string, fields?: Record<string, unknown>): void => {
    logged.push(String(fields?.error))
  }
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await rm(home, { recursive: true, force: true })
  }
  const handler = controlHandler({ token, uploadDir, ...init })({
    registry,
    config: () => SETTINGS,
    shutdown: () => void registry.stop().then(close),
    logger: { debug: log, info: log, warn: log }
  })
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    registry,
    url: `http://127.0.0.1:${port}`,
    port,
    token,
    uploadDir,
    home,
    logged,
    raw: (path, { method = 'POST', headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const call = request(
          { port, host: '127.0.0.1', path: `${CONTROL_PATH}${path}`, method, headers },
          (response) => {
            let text = ''
            response.setEncoding('utf8').on('data', (chunk: string) => {
              text += chunk
            })
            response.on('end', () =>
              resolve({ status: response.statusCode, headers: response.headers, body: text })
            )
            response.on('error', reject)
          }
        )
        call.on('error', reject)
        call.end(body)
      }),
    close,
    [Symbol.asyncDispose]: close
  }
}

/** A package as `MemoryRegistry` takes it, in pieces. */
export async function* packageOf(
  name: string,
  version: string,
  more: Record<string, unknown> = {}
): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(JSON.stringify({ name, version, ...more }))
  for (let at = 0; at < bytes.length; at += 70_000) yield bytes.subarray(at, at + 70_000)
}
