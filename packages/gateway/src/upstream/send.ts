import { parseMap } from '@registry/types'
import { type Call, sendDocument, sendJson } from '../call.ts'
import { sendContent, sendHead } from '../content.ts'
import { type DocumentForm, documentForm, documentType } from '../document.ts'
import type { DocumentCache } from '../document-cache.ts'
import { NothingFoundError } from '../errors.ts'
import type { Route } from '../route.ts'
import { relocated, type Upstream } from './upstream.ts'

/** Answers what is asked about a package that comes from another registry. */
export async function sendUpstream(
  call: Call,
  route: Extract<Route, { name: string }>,
  upstream: Upstream,
  documents: DocumentCache
): Promise<void> {
  const { name } = route
  switch (route.kind) {
    case 'document':
      return sendPackage(call, name, documentForm(call.request.headers.accept), upstream, documents)
    case 'tarball': {
      const tarball = await upstream.tarball(name, route.file)
      if (sendHead(call, tarball)) return
      return sendContent(call, tarball, async () => tarball.read())
    }
    case 'version':
      return sendJson(call, 200, await oneVersion(call, name, route.version, upstream))
    case 'dist-tags': {
      const { document } = await upstream.document(name, 'abbreviated')
      return sendJson(call, 200, parseMap(document['dist-tags'], 'dist-tags'))
    }
    default:
      throw new NothingFoundError(`${name} comes from another registry, which is to be asked for that`)
  }
}

async function sendPackage(
  call: Call,
  name: string,
  form: DocumentForm,
  upstream: Upstream,
  documents: DocumentCache
): Promise<void> {
  const { baseUrl } = call
  const document = await documents.get(`${form} ${baseUrl} ${name}`, async () => {
    const found = await upstream.document(name, form)
    const json = JSON.stringify(relocated(found, name, baseUrl))
    return { json, revision: found.revision, packageName: name }
  })
  if (document === undefined) throw new NothingFoundError()
  await sendDocument(call, documentType(form), document)
}

async function oneVersion(call: Call, name: string, wanted: string, upstream: Upstream): Promise<unknown> {
  const found = await upstream.document(name, 'full')
  const tags = parseMap(found.document['dist-tags'], 'dist-tags')
  const versions = parseMap(relocated(found, name, call.baseUrl).versions, 'versions')
  const version = Object.hasOwn(tags, wanted) ? String(tags[wanted]) : wanted
  if (!Object.hasOwn(versions, version)) throw new NothingFoundError(`There is no ${name}@${wanted}`)
  return versions[version]
}
