import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'

/** What the bare server is started with. */
export interface StaticInit {
  /** JSON of `StaticFile` by path. */
  file: string
}

/** One answer, in base64. */
export interface StaticFile {
  type: string
  body: string
}

// The least that a registry can do: answers that lie ready in memory, compressed ones beside them, and nothing that decides.
const init: StaticInit = JSON.parse(process.argv[2] ?? '{}')
const files: Record<string, StaticFile> = JSON.parse(await readFile(init.file, 'utf8'))
let origin = ''

interface Ready {
  body: Buffer
  headers: Record<string, string | number> & { etag: string }
  gzipped?: { body: Buffer; headers: Record<string, string | number> }
}

const answers = new Map<string, Ready>()
const server = createServer((request, response) => {
  const isAbbreviated = request.headers.accept?.includes('install-v1') ?? false
  const path = decodeURIComponent(request.url ?? '/')
  const ready = answers.get(isAbbreviated ? `${path} abbreviated` : path) ?? answers.get(path)
  if (request.method === 'POST') response.end('{}')
  else if (ready === undefined) response.writeHead(404).end('{"error":"Not found"}')
  else if (request.headers['if-none-match'] === ready.headers.etag)
    response.writeHead(304, { etag: ready.headers.etag }).end()
  else {
    const isGzipped =
      ready.gzipped !== undefined && String(request.headers['accept-encoding']).includes('gzip')
    const { headers, body } = isGzipped && ready.gzipped !== undefined ? ready.gzipped : ready
    response.writeHead(200, headers).end(body)
  }
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  for (const [path, { type, body }] of Object.entries(files)) answers.set(path, readyOf(type, body))
  process.send?.({ kind: 'ready', url: origin, pid: process.pid })
})
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => process.exit())

function readyOf(type: string, base64: string): Ready {
  const bytes = Buffer.from(base64, 'base64')
  const isDocument = type.includes('json')
  const body = isDocument ? Buffer.from(bytes.toString('utf8').replaceAll('http://origin', origin)) : bytes
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`
  const headers = { 'content-type': type, 'content-length': body.length, etag }
  if (!isDocument || body.length < 1024) return { body, headers }
  const small = gzipSync(body)
  return {
    body,
    headers,
    gzipped: {
      body: small,
      headers: { ...headers, 'content-length': small.length, 'content-encoding': 'gzip' }
    }
  }
}
