import { createServer, type RequestListener, type Server } from 'node:http'
import { isLoopback } from '@registry/control'
import { RegistryError } from '@registry/types'
import { HttpListenError, HttpNotLoopbackError, HttpPortInUseError } from './errors.ts'

/** Far more than the programs of one user open, and few enough that nobody on this machine uses up our sockets. */
const MAX_CONNECTIONS = 512

/** Everything under `prefix` is answered by `handler`. */
export interface Mount {
  prefix: string
  handler: RequestListener
}

/** A listening server. */
export interface HttpServer {
  /** `http://HOST:PORT` */
  readonly url: string
  /** Takes no further connections; those that are open go on. */
  refuse(): void
  /** Breaks off what is still open, and resolves when the port is free. */
  close(): Promise<void>
}

/** @throws {HttpNotLoopbackError} ERR_HTTP_NOT_LOOPBACK */
export function parseListen(listen: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(listen) ?? []
  const host = bracketed ?? plain ?? ''
  if (!isLoopback(host)) throw new HttpNotLoopbackError(listen)
  return { host, port: Number(port) }
}

/**
 * Listens on loopback and hands each request to the first mount whose prefix fits; else it answers 404.
 *
 * @throws ERR_HTTP_NOT_LOOPBACK, ERR_PORT_IN_USE, ERR_HTTP_LISTEN
 */
export async function openHttpServer(listen: string, mounts: readonly Mount[]): Promise<HttpServer> {
  const { host, port } = parseListen(listen)
  const server = createServer((request, response) => {
    const mount = mounts.find(({ prefix }) => request.url?.startsWith(prefix))
    ;(mount?.handler ?? notFound)(request, response)
  })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenError(listen, cause)))
    server.listen(port, host, resolve)
  })
  const closed = new Promise((resolve) => server.once('close', resolve))
  const refuse = (): void => {
    if (server.listening) server.close()
  }
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${name}:${portOf(server)}`,
    refuse,
    async close() {
      refuse()
      server.closeAllConnections()
      await closed
    }
  }
}

const notFound: RequestListener = (_request, response) => {
  const error = new RegistryError('ERR_NOT_FOUND', 'There is nothing under this path')
  response.writeHead(404, { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' })
  response.end(`${JSON.stringify(error)}\n`)
}

function listenError(listen: string, cause: unknown): RegistryError {
  const inUse = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
  return inUse ? new HttpPortInUseError(listen, cause) : new HttpListenError(listen, cause)
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
