import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signRelease } from '@registry/identity'
import { inspectTarball } from '@registry/registry'
import { describeContent, type ManualClock, seededOwner } from '@registry/testing'
import { type OwnerIdentity, parseRelease } from '@registry/types'
import { onTestFinished } from 'vitest'
import { type LonePeer, lonePeer } from '../../registry/test/lone-peer.ts'
import { manifestEntry, type RawEntry, tarball } from '../../registry/test/packing/tarballs.ts'
import { type Gateway, type GatewayInit, gateway, openTokens } from '../src/index.ts'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  bytes: Buffer
  text: string
  /** The body as JSON, of any shape. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers of every shape
  json: any
}

export interface Ask {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array | object
  /** Shows the token. */
  token?: string
}

export interface Served extends LonePeer {
  readonly gateway: Gateway
  readonly url: string
  readonly port: number
  readonly token: string
  readonly uploadDir: string
  /** Where is kept what came from other registries. */
  readonly upstreamDir: string
  ask(path: string, options?: Ask): Promise<Answer>
  /** Nobody answers at its address any more. */
  close(): Promise<void>
  /** As `ask`, with the token. */
  write(method: string, path: string, body?: Ask['body']): Promise<Answer>
  /** Publishes as npm does. */
  publish(manifest: Manifest, options?: PublicationOptions): Promise<Answer>
  /** Another owner's release comes in, as from another peer; its tarball is at that peer. */
  arrive(owner: OwnerIdentity, manifest: Manifest, options?: ArrivalOptions): Promise<void>
}

export interface Manifest {
  name: string
  version: string
  [field: string]: unknown
}

export interface PublicationOptions {
  tag?: string
  entries?: readonly RawEntry[]
  /** Stands before the path. */
  prefix?: string
  /** Changes the document before it is sent. */
  change?: (document: Publication) => void
}

export interface ArrivalOptions {
  /** Fields that are signed in place of those of the tarball. */
  signed?: Record<string, unknown>
  bytes?: Uint8Array
  /** The tarball of which a release is signed, when it is not the one that comes. */
  described?: Uint8Array
}

/** A peer in memory behind a gateway on a port of its own. */
export async function serve(init: Partial<GatewayInit> = {}): Promise<Served> {
  const home = await mkdtemp(join(tmpdir(), 'registry-gateway-'))
  const peer = await lonePeer()
  const tokensDir = join(home, 'tokens')
  const uploadDir = join(home, 'uploads')
  const { registry, clock } = peer
  const served = gateway({ tokensDir, uploadDir, upstreamDir: join(home, 'upstream'), ...init })({
    registry,
    clock,
    logger: {
      debug() {},
      info() {},
      warn: (_, message, fields) => peer.warnings.push(`${message} ${fields?.error}`)
    }
  })
  await served.start()
  const server = createServer(served.handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  onTestFinished(async () => {
    await served.stop()
    await close()
    await rm(home, { recursive: true, force: true })
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const token = await openTokens(tokensDir).create(registry.owner, 'test', clock.now())
  const ask = (path: string, options: Ask = {}): Promise<Answer> => askAt(port, path, options)
  const write = (method: string, path: string, body?: Ask['body']): Promise<Answer> =>
    ask(path, body === undefined ? { method, token } : { method, token, body })
  return {
    ...peer,
    gateway: served,
    url: `http://127.0.0.1:${port}`,
    port,
    token,
    uploadDir,
    upstreamDir: join(home, 'upstream'),
    ask,
    close,
    write,
    publish(manifest, { tag = 'latest', entries = [], prefix = '', change } = {}) {
      const document = publicationOf(manifest, tarball(manifestEntry(manifest), ...entries), tag)
      change?.(document)
      return write('PUT', `${prefix}/${manifest.name.replace('/', '%2f')}`, document)
    },
    async arrive(
      owner,
      manifest,
      { signed, bytes = tarball(manifestEntry(manifest)), described = bytes } = {}
    ) {
      const content = describeContent(bytes)
      const release = parseRelease({
        ...(await inspectTarball([described])),
        ...signed,
        owner: owner.id,
        content: content.cid,
        size: content.size,
        integrity: content.integrity,
        claimedAtMs: clock.now()
      })
      peer.behaviour.contentRouter.remote.set(content.cid, bytes)
      await peer.store.catalogue.ingest([owner.inception, await signRelease(release, owner.signer)])
    }
  }
}

function askAt(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body, token }: Ask
): Promise<Answer> {
  const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  return new Promise((resolve, reject) => {
    const call = request(
      {
        port,
        host: '127.0.0.1',
        path,
        method,
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers }
      },
      (response) => {
        const chunks: Uint8Array[] = []
        response.on('data', (chunk: Uint8Array) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const bytes = Buffer.concat(chunks)
          const text = bytes.toString('utf8')
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text,
            get json() {
              return JSON.parse(text)
            }
          })
        })
      }
    )
    call.on('error', reject)
    call.end(isRaw ? body : JSON.stringify(body))
  })
}

/** What npm sends to publish a tarball. */
export interface Publication {
  _id: string
  name: string
  'dist-tags': Record<string, string>
  versions: Record<string, Manifest & { dist: Record<string, string> }>
  access: string | null
  _attachments: Record<string, { content_type: string; data: string; length: number }>
}

export function publicationOf(manifest: Manifest, bytes: Uint8Array, tag = 'latest'): Publication {
  const { name, version } = manifest
  const file = `${name}-${version}.tgz`
  const hash = (algorithm: string, encoding: 'hex' | 'base64'): string =>
    createHash(algorithm).update(bytes).digest(encoding)
  const dist = {
    integrity: `sha512-${hash('sha512', 'base64')}`,
    shasum: hash('sha1', 'hex'),
    tarball: `http://localhost/${name}/-/${file}`
  }
  return {
    _id: name,
    name,
    'dist-tags': { [tag]: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
    access: null,
    _attachments: {
      [file]: {
        content_type: 'application/octet-stream',
        data: Buffer.from(bytes).toString('base64'),
        length: bytes.length
      }
    }
  }
}

export { type ManualClock, manifestEntry, seededOwner, tarball }
