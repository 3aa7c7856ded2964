import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { pause } from '@registry/timing'
import {
  type Clock,
  formatPackageReference,
  isRegistryError,
  type Logger,
  type OwnerId,
  type P2PRegistry,
  type PackageName,
  type PackageUpdate,
  PROTOCOL_LIMITS,
  parseMap,
  parseText,
  type RegistryError,
  type Startable,
  splitProjectNames
} from '@registry/types'
import {
  Advisories,
  type Advisory,
  type Installed,
  parseAdvisories,
  parseBulk,
  parseTree,
  treeReport
} from './advisories.ts'
import { byMethod, type Call, sendDocument, sendError, sendHtml, sendJson } from './call.ts'
import { accountOf, documentForm, documentType, renderDocument, versionDocument } from './document.ts'
import { DocumentCache } from './document-cache.ts'
import {
  CallerGoneError,
  DiskRefusedError,
  ForeignNameError,
  InternalError,
  NameTakenError,
  NothingFoundError,
  TooManyUploadsError,
  UnauthorizedError,
  UnsupportedError
} from './errors.ts'
import { checkedBaseUrl } from './guard.ts'
import { readJsonBody } from './json-body.ts'
import { countDownloads, listChanges, listPackages } from './listing.ts'
import { LOGIN_PAGE_POLICY, Logins, loginPage } from './login.ts'
import { parseNpmName, referenceIn } from './names.ts'
import { parseRoute, type Route } from './route.ts'
import { npmSearch, parseNpmSearch } from './search.ts'
import { ShortNames } from './short-names.ts'
import { parseFileVersion, Tarballs } from './tarballs.ts'
import { keyOf, openTokens, type TokenInfo, type Tokens } from './tokens.ts'
import { withUpload } from './upload.ts'
import { sendUpstream } from './upstream/send.ts'
import type { Upstream } from './upstream/upstream.ts'
import { Upstreams } from './upstream/upstreams.ts'
import { Writes } from './writes.ts'

export interface GatewayInit {
  /** Where tokens are kept; see `openTokens`. */
  tokensDir: string
  /** Where larger packages are received; each is removed again when it is published or refused. */
  uploadDir: string
  /** The address under which others than this machine's own programs know it. By default each caller's own `Host`. */
  publicUrl?: string
  /**
   * Where names come from, the first rule that fits deciding: `@acme/* peers` or `* https://registry.example.org/`. What no
   * rule fits, and what names its owner, comes from the peers. @default none
   */
  origins?: readonly string[]
  /** Where is kept what came from other registries. */
  upstreamDir: string
  /**
   * Peers whose word about the documents of other registries counts as those registries' own, and who are given them: their
   * IDs, or `*` for every peer of the network. @default none
   */
  mirrors?: readonly string[]
  /** How long mirrors may take to answer. @default 2000 */
  mirrorTimeoutMs?: number
  /** Kept of other registries on disk, tarballs with a sha512 aside; what was not used for longest makes room. @default 4294967296 */
  upstreamCacheBytes?: number
  /** Another registry is not asked again for a document younger than this. @default 60000 */
  upstreamMaxAgeMs?: number
  /** Another registry has to have answered in full within this time. @default 60000 */
  upstreamTimeoutMs?: number
  /** The largest package that is received. @default 536870912, the protocol's bound */
  maxPackageBytes?: number
  /** The largest document that is received, its tarball not counted. @default 33554432 */
  maxDocumentBytes?: number
  /** Packages received at once. @default 16 */
  maxUploads?: number
  /** Who has taken nothing of a tarball for so long is disconnected. @default 120000 */
  readerTimeoutMs?: number
  /** Documents kept ready, in memory. @default 67108864 */
  documentCacheBytes?: number
  /** Documents, and what names mean, are looked up anew after this time, though no news came. @default 5000 */
  documentMaxAgeMs?: number
}

export interface GatewayComponents {
  registry: P2PRegistry
  clock: Clock
  logger?: Logger
}

/** npm's registry API over a registry. Start it after the registry, and stop it before. */
export interface Gateway extends Startable {
  /** Answers any path, as far as npm's API has it. */
  readonly handler: RequestListener
}

export const GATEWAY_DEFAULTS: Readonly<{
  origins: readonly string[]
  mirrors: readonly string[]
  mirrorTimeoutMs: number
  upstreamCacheBytes: number
  upstreamMaxAgeMs: number
  upstreamTimeoutMs: number
  maxPackageBytes: number
  maxDocumentBytes: number
  maxUploads: number
  readerTimeoutMs: number
  documentCacheBytes: number
  documentMaxAgeMs: number
}> = Object.freeze({
  origins: Object.freeze([]),
  mirrors: Object.freeze([]),
  mirrorTimeoutMs: 2000,
  upstreamCacheBytes: 4 * 1024 ** 3,
  upstreamMaxAgeMs: 60_000,
  upstreamTimeoutMs: 60_000,
  maxPackageBytes: PROTOCOL_LIMITS.maxPackageBytes,
  maxDocumentBytes: 32 * 1024 ** 2,
  maxUploads: 16,
  readerTimeoutMs: 120_000,
  documentCacheBytes: 64 * 1024 ** 2,
  documentMaxAgeMs: 5000
})

/** Serves a registry to npm, pnpm, yarn and bun. */
export function gateway(init: GatewayInit): (components: GatewayComponents) => Gateway {
  return (components) => new NpmGateway(init, components)
}

/** So many pieces of news within so long are a flood. */
const FLOOD_NEWS = 200
const FLOOD_PAUSE_MS = 1000
/** Of a body that is no document of a package. */
const MAX_SMALL_BODY_BYTES = 64 * 1024
const MAX_AUDIT_BYTES = 16 * 1024 ** 2
/** Of a package with thousands of versions. */
const MAX_UPSTREAM_DOCUMENT_BYTES = 256 * 1024 ** 2

class NpmGateway implements Gateway {
  readonly #init: GatewayInit & typeof GATEWAY_DEFAULTS
  readonly #publicUrl: URL | undefined
  readonly #registry: P2PRegistry
  readonly #clock: Clock
  readonly #logger: Logger | undefined
  readonly #documents: DocumentCache
  readonly #tokens: Tokens
  readonly #logins: Logins
  readonly #tarballs: Tarballs
  readonly #lists: { registry: P2PRegistry; names: ShortNames }
  readonly #writes: Writes
  readonly #advisories: Advisories
  readonly #upstreams: Upstreams
  #uploads = 0
  #following: { ended: AbortController; done: Promise<void> } | undefined

  constructor(init: GatewayInit, { registry, clock, logger }: GatewayComponents) {
    this.#init = { ...GATEWAY_DEFAULTS, ...init }
    this.#publicUrl = init.publicUrl === undefined ? undefined : new URL(init.publicUrl)
    this.#registry = registry
    this.#clock = clock
    this.#logger = logger
    const { documentCacheBytes: maxBytes, documentMaxAgeMs: maxAgeMs } = this.#init
    this.#documents = new DocumentCache({ maxBytes, maxAgeMs }, clock)
    this.#tokens = openTokens(init.tokensDir)
    this.#logins = new Logins(clock)
    this.#tarballs = new Tarballs({ maxAgeMs }, registry, clock)
    this.#lists = { registry, names: new ShortNames({ maxAgeMs }, registry, clock) }
    this.#writes = new Writes(registry)
    this.#advisories = new Advisories(registry)
    const {
      mirrors,
      mirrorTimeoutMs,
      origins,
      upstreamDir,
      upstreamCacheBytes,
      upstreamMaxAgeMs,
      upstreamTimeoutMs,
      maxPackageBytes
    } = this.#init
    this.#upstreams = new Upstreams(
      {
        mirrors,
        mirrorTimeoutMs,
        origins,
        cacheDir: upstreamDir,
        maxCacheBytes: upstreamCacheBytes,
        maxAgeMs: upstreamMaxAgeMs,
        timeoutMs: upstreamTimeoutMs,
        maxDocumentBytes: MAX_UPSTREAM_DOCUMENT_BYTES,
        maxPackageBytes
      },
      { registry, clock }
    )
  }

  async start(): Promise<void> {
    if (this.#following !== undefined) return
    const ended = new AbortController()
    this.#upstreams.start()
    const unlisten = this.#registry.onNamesChange(() => this.#forgetAll())
    this.#following = { ended, done: this.#follow(ended.signal).finally(unlisten) }
  }

  async stop(): Promise<void> {
    const following = this.#following
    this.#following = undefined
    following?.ended.abort()
    this.#upstreams.stop()
    await following?.done
    this.#forgetAll()
  }

  readonly handler: RequestListener = (request, response) => void this.#handle(request, response)

  /**
   * News of a package makes what is known of it stale. Of a flood of news, as in a first synchronisation, most is passed over:
   * then all is stale at once, and the news is taken up again a little later.
   */
  async #follow(signal: AbortSignal): Promise<void> {
    try {
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        const news = this.#registry.subscribe({ kind: 'all' }, { signal })
        if (!isFirst) this.#forgetAll()
        if (!(await this.#hear(news))) return
        await pause(this.#clock, FLOOD_PAUSE_MS, signal)
      }
    } catch (error) {
      if (!signal.aborted && !isRegistryError(error, 'ERR_NOT_RUNNING')) this.#warn('news broke off', error)
    }
  }

  /** True when it is a flood, false when there is no more. */
  async #hear(news: AsyncIterable<PackageUpdate>): Promise<boolean> {
    let count = 0
    let sinceMs = this.#clock.now()
    for await (const { package: one } of news) {
      this.#forget(one.name)
      count++
      const nowMs = this.#clock.now()
      if (nowMs - sinceMs >= FLOOD_PAUSE_MS) {
        count = 0
        sinceMs = nowMs
      }
      if (count >= FLOOD_NEWS) return true
    }
    return false
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const abort = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) abort.abort(new CallerGoneError())
    })
    try {
      const baseUrl = checkedBaseUrl(request, this.#publicUrl)
      const [path = '', query = ''] = split(request.url ?? '/')
      const { names, path: rest } = splitProjectNames(path)
      const call = {
        request,
        response,
        baseUrl,
        query: new URLSearchParams(query),
        names,
        signal: abort.signal,
        readerTimeoutMs: this.#init.readerTimeoutMs
      }
      await this.#answer(call, parseRoute(rest))
    } catch (error) {
      this.#fail({ request, response }, error)
      // What is left of the body would else stand before the answer.
      request.resume()
    }
  }

  async #answer(call: Call, route: Route): Promise<void> {
    const origin = 'name' in route ? this.#originOf(call, route.name) : undefined
    if (origin !== undefined && 'name' in route) {
      if (call.request.method !== 'GET' && call.request.method !== 'HEAD') {
        throw new ForeignNameError(route.name, origin.url)
      }
      return sendUpstream(call, route, origin.upstream, this.#documents)
    }
    switch (route.kind) {
      case 'document':
        return byMethod(call, {
          GET: () => this.#sendPackage(call, route.name),
          PUT: () => this.#publish(call, route.name)
        })
      case 'tarball':
        return byMethod(call, {
          GET: () => this.#tarballs.send(call, route.name, route.file),
          DELETE: () => this.#deleteTarball(call, route.name, route.file)
        })
      case 'version':
        return byMethod(call, { GET: () => this.#sendVersion(call, route.name, route.version) })
      case 'revision':
        return byMethod(call, {
          PUT: () => this.#change(call, route.name, true),
          DELETE: () => this.#unpublish(call, route.name, route.revision)
        })
      case 'dist-tags':
        return this.#distTags(call, route.name, route.tag)
      case 'search':
        return byMethod(call, { GET: () => this.#search(call) })
      case 'audit':
        return byMethod(call, { POST: () => this.#audit(call, route.form) })
      case 'ping':
        return byMethod(call, { GET: () => sendJson(call, 200, {}) })
      case 'root':
        return byMethod(call, { GET: () => this.#root(call) })
      case 'all':
        return byMethod(call, {
          GET: async () => sendJson(call, 200, await listPackages(this.#lists, call.query, call.baseUrl))
        })
      case 'changes':
        return byMethod(call, {
          GET: async () => sendJson(call, 200, await listChanges(this.#registry, call.query, call.signal))
        })
      case 'downloads':
        return byMethod(call, { GET: () => this.#downloads(call, route.name) })
      case 'keys':
        // Owners sign with keys of another kind than npm's; a key of this peer would vouch for nothing.
        return byMethod(call, { GET: () => sendJson(call, 200, { keys: [] }) })
      case 'visibility':
        return byMethod(call, { GET: () => this.#aboutOwner(call, route.name, () => ({ public: true })) })
      case 'collaborators':
        return byMethod(call, {
          GET: () => this.#aboutOwner(call, route.name, (owner) => ({ [owner]: 'write' }))
        })
      default:
        return this.#answerAccount(call, route)
    }
  }

  async #answerAccount(call: Call, route: Route): Promise<void> {
    switch (route.kind) {
      case 'whoami':
        return byMethod(call, {
          GET: async () => sendJson(call, 200, { username: (await this.#authorize(call)).owner })
        })
      case 'profile':
        return byMethod(call, {
          GET: async () =>
            sendJson(call, 200, { ...accountOf((await this.#authorize(call)).owner), tfa: null })
        })
      case 'login':
        return byMethod(call, { POST: () => this.#beginLogin(call) })
      case 'login-page':
        return byMethod(call, {
          GET: () => this.#showLogin(call, route.id),
          POST: () => this.#approveLogin(call, route.id)
        })
      case 'login-done':
        return byMethod(call, { GET: () => this.#endLogin(call, route.id) })
      case 'user':
        return byMethod(call, {
          GET: () => this.#sendUser(call, route.user),
          PUT: () => this.#logInByPassword(call, route.user)
        })
      case 'user-packages':
        return byMethod(call, { GET: () => this.#userPackages(call, route.user) })
      case 'tokens':
        return byMethod(call, { GET: () => this.#listTokens(call) })
      case 'token':
        return byMethod(call, { DELETE: () => this.#revokeToken(call, route.token) })
      default:
        throw new NothingFoundError()
    }
  }

  /** The other registry that a name comes from. What a project says is an owner's comes from the peers. */
  #originOf({ names }: Call, name: string): { upstream: Upstream; url: string } | undefined {
    const origin = this.#upstreams.of(name)
    return origin === undefined || referenceIn(names, name).owner !== undefined ? undefined : origin
  }

  async #sendPackage(call: Call, name: string): Promise<void> {
    const form = documentForm(call.request.headers.accept)
    const reference = formatPackageReference(referenceIn(call.names, name))
    const document = await this.#documents.get(`${form} ${call.baseUrl} ${name} ${reference}`, async () => {
      const details = await this.#registry.details(reference)
      if (details === undefined) return undefined
      const rendered = renderDocument(form, { name, details, baseUrl: call.baseUrl })
      if (rendered === undefined) throw nothingInstallable(name, details.package.id)
      return { ...rendered, packageName: details.package.name }
    })
    if (document === undefined) throw unknownPackage(name)
    await sendDocument(call, documentType(form), document)
  }

  /** Of one version, or of what a tag names. */
  async #sendVersion(call: Call, name: string, version: string): Promise<void> {
    const reference = `${formatPackageReference(referenceIn(call.names, name))}@${version}`
    const one = await this.#registry.metadata(reference)
    if (one === undefined) throw new NothingFoundError(`There is no ${name}@${version}`)
    if (one.npm === undefined) throw nothingInstallable(name, one.id)
    sendJson(call, 200, versionDocument('full', one, name, call.baseUrl), { 'cache-control': 'no-cache' })
  }

  /** Whoever may change what this owner's package of a name is. @throws ERR_UNAUTHORIZED, ERR_NAME_TAKEN */
  async #authorizeFor(call: Call, name: string): Promise<void> {
    await this.#authorize(call)
    const { name: meant, owner = this.#registry.owner } = referenceIn(call.names, name)
    if (owner !== this.#registry.owner) throw new NameTakenError(meant, `@${owner}`)
  }

  async #publish(call: Call, name: string): Promise<void> {
    await this.#authorizeFor(call, name)
    const { uploadDir: folder, maxPackageBytes: maxBytes, maxDocumentBytes, maxUploads } = this.#init
    if (this.#uploads >= maxUploads) throw new TooManyUploadsError(maxUploads)
    this.#uploads++
    try {
      await withUpload(call.request, { folder, maxBytes, maxDocumentBytes }, async (upload) => {
        if (upload.tarball === undefined) {
          await this.#changed(name, this.#writes.change(name, upload.document, call.baseUrl, false))
        } else {
          await this.#changed(name, this.#writes.publish(name, upload, call))
        }
      })
    } finally {
      this.#uploads--
    }
    sendJson(call, 201, { ok: true, success: true, id: name })
  }

  async #change(call: Call, name: string, isRevision: boolean): Promise<void> {
    await this.#authorizeFor(call, name)
    const document = await readJsonBody(call.request, this.#init.maxDocumentBytes)
    await this.#changed(name, this.#writes.change(name, document, call.baseUrl, isRevision))
    sendJson(call, 201, { ok: true, id: name })
  }

  async #unpublish(call: Call, name: string, revision: string): Promise<void> {
    await this.#authorizeFor(call, name)
    await this.#changed(name, this.#writes.unpublishAll(name, revision, call.baseUrl))
    sendJson(call, 200, { ok: true })
  }

  async #deleteTarball(call: Call, name: string, file: string): Promise<void> {
    await this.#authorizeFor(call, name)
    await this.#changed(name, this.#writes.removeTarball(name, parseFileVersion(name, file)))
    sendJson(call, 200, { ok: true })
  }

  async #distTags(call: Call, name: string, tag: string | undefined): Promise<void> {
    if (tag === undefined) {
      return byMethod(call, {
        GET: async () => {
          const details = await this.#registry.details(formatPackageReference(referenceIn(call.names, name)))
          if (details === undefined) throw unknownPackage(name)
          sendJson(call, 200, details.distTags)
        }
      })
    }
    const put = async (): Promise<void> => {
      await this.#authorizeFor(call, name)
      const version = await readJsonBody(call.request, MAX_SMALL_BODY_BYTES)
      await this.#changed(name, this.#writes.tag(name, tag, version))
      sendJson(call, 201, { ok: true })
    }
    await byMethod(call, {
      PUT: put,
      POST: put,
      DELETE: async () => {
        await this.#authorizeFor(call, name)
        await this.#changed(name, this.#writes.untag(name, tag))
        sendJson(call, 200, { ok: true })
      }
    })
  }

  /** Whoever changes something sees it with the next request, before the news of it has gone round. */
  async #changed<T>(name: string, change: Promise<T>): Promise<T> {
    try {
      return await change
    } finally {
      this.#forget(parseNpmName(name).name)
    }
  }

  #forget(name: PackageName): void {
    this.#documents.forget(name)
    this.#tarballs.forget(name)
    this.#lists.names.forget(name)
  }

  #forgetAll(): void {
    this.#documents.clear()
    this.#tarballs.clear()
    this.#lists.names.clear()
  }

  async #search(call: Call): Promise<void> {
    const search = parseNpmSearch(call.query)
    const found = await npmSearch(this.#lists, search, call.baseUrl, call.signal)
    sendJson(call, 200, { ...found, time: new Date(this.#clock.now()).toISOString() })
  }

  async #audit(call: Call, form: 'bulk' | 'tree'): Promise<void> {
    const body = await readJsonBody(call.request, MAX_AUDIT_BYTES)
    const installed = form === 'bulk' ? parseBulk(body) : parseTree(body)
    const { found, silent } = await this.#audited(call, installed)
    // npm shows this to whoever runs it.
    const headers =
      silent.length === 0 ? {} : { 'npm-notice': `No warnings could be had of ${silent.join(', ')}` }
    sendJson(call, 200, form === 'bulk' ? Object.fromEntries(found) : treeReport(installed, found), headers)
  }

  /** Each name is asked about where it comes from. Who did not answer is silent: an installation does not wait for it. */
  async #audited(
    call: Call,
    installed: Installed
  ): Promise<{ found: Map<string, readonly Advisory[]>; silent: string[] }> {
    const own = new Map<string, ReadonlySet<string>>()
    const foreign = new Map<string, { upstream: Upstream; names: Record<string, string[]> }>()
    for (const [name, versions] of installed) {
      const origin = this.#originOf(call, name)
      if (origin === undefined) {
        own.set(name, versions)
        continue
      }
      const asked = foreign.get(origin.url) ?? { upstream: origin.upstream, names: {} }
      asked.names[name] = [...versions]
      foreign.set(origin.url, asked)
    }
    const found: Map<string, readonly Advisory[]> = await this.#advisories.of(own, call)
    const silent: string[] = []
    for (const [url, { upstream, names }] of foreign) {
      try {
        const answer = parseAdvisories(await upstream.advisories(names), names)
        for (const [name, advisories] of answer) found.set(name, advisories)
      } catch (error) {
        if (!isRegistryError(error)) throw error
        silent.push(url)
      }
    }
    return { found, silent }
  }

  async #root(call: Call): Promise<void> {
    const { network, packages } = await this.#registry.status()
    sendJson(call, 200, { db_name: network, doc_count: packages })
  }

  async #downloads(call: Call, name: string): Promise<void> {
    const counted = await countDownloads(
      this.#registry,
      formatPackageReference(referenceIn(call.names, name))
    )
    if (counted === undefined) throw unknownPackage(name)
    sendJson(call, 200, { ...counted, package: name })
  }

  async #aboutOwner(call: Call, name: string, about: (owner: OwnerId) => object): Promise<void> {
    const one = await this.#registry.metadata(formatPackageReference(referenceIn(call.names, name)))
    if (one === undefined) throw unknownPackage(name)
    sendJson(call, 200, about(one.owner))
  }

  /** The token that was shown. It is bound to an owner, and is good only while this peer speaks for that one. */
  async #authorize({ request }: Call): Promise<TokenInfo> {
    const given = givenToken(request.headers.authorization)
    if (given === undefined) throw new UnauthorizedError('You are not logged in to this registry')
    return this.#checkToken(given)
  }

  async #checkToken(given: string): Promise<TokenInfo> {
    const token = await this.#tokens.find(given)
    if (token === undefined) throw new UnauthorizedError('This registry does not know the token')
    if (token.owner !== this.#registry.owner) {
      throw new UnauthorizedError('The token is for another owner than the one that this peer speaks for')
    }
    return token
  }

  #beginLogin(call: Call): void {
    const id = this.#logins.open()
    const address = `${call.baseUrl}/-/v1/login`
    sendJson(call, 200, { loginUrl: `${address}/page/${id}`, doneUrl: `${address}/done/${id}` })
  }

  #showLogin(call: Call, id: string): void {
    this.#logins.check(id)
    sendHtml(call, 200, loginPage(), LOGIN_PAGE_POLICY)
  }

  async #approveLogin(call: Call, id: string): Promise<void> {
    this.#logins.check(id)
    const form = new URLSearchParams(await readText(call.request))
    try {
      await this.#checkToken(form.get('token')?.trim() ?? '')
    } catch (error) {
      if (!isRegistryError(error, 'ERR_UNAUTHORIZED')) throw error
      sendHtml(
        call,
        401,
        loginPage('This is no token of this peer. Go back and try again.'),
        LOGIN_PAGE_POLICY
      )
      return
    }
    this.#logins.approve(id, await this.#createToken('npm login'))
    sendHtml(call, 200, loginPage('You are logged in. You can close this page.'), LOGIN_PAGE_POLICY)
  }

  #endLogin(call: Call, id: string): void {
    const token = this.#logins.collect(id)
    if (token === undefined) sendJson(call, 202, {}, { 'retry-after': '1' })
    else sendJson(call, 200, { token })
  }

  /** The password is a token: only who can read the peer's own files has one. */
  async #logInByPassword(call: Call, user: string): Promise<void> {
    const { password } = parseMap(await readJsonBody(call.request, MAX_SMALL_BODY_BYTES), 'user')
    try {
      await this.#checkToken(parseText(password, 'password', 256))
    } catch (error) {
      if (!isRegistryError(error, 'ERR_UNAUTHORIZED')) throw error
      throw new UnauthorizedError('The password is a token of this peer, which registry login --print shows')
    }
    const token = await this.#createToken(`npm login ${user.slice(0, 100)}`)
    sendJson(call, 201, { ok: true, id: `org.couchdb.user:${user}`, rev: '1', token })
  }

  #createToken(label: string): Promise<string> {
    return this.#tokens.create(this.#registry.owner, label, this.#clock.now())
  }

  #sendUser(call: Call, user: string): void {
    sendJson(call, 200, { _id: `org.couchdb.user:${user}`, name: user, email: `${user}@owner.invalid` })
  }

  async #userPackages(call: Call, user: string): Promise<void> {
    const { owner } = parseNpmName(`@${user}/x`)
    if (owner === undefined) throw new NothingFoundError(`${user.slice(0, 80)} is no owner`)
    const { results } = await this.#registry.searchPage({ owner, limit: 1000 }, { signal: call.signal })
    sendJson(call, 200, Object.fromEntries(results.map((result) => [result.package.name, 'write'])))
  }

  async #listTokens(call: Call): Promise<void> {
    await this.#authorize(call)
    const objects = (await this.#tokens.list()).map(({ key, label, createdAtMs }) => ({
      key,
      token: key.slice(0, 6),
      name: label,
      cidr_whitelist: null,
      readonly: false,
      created: new Date(createdAtMs).toISOString()
    }))
    sendJson(call, 200, { objects, total: objects.length, urls: {} })
  }

  /** By the token itself, as a logout has it, or by its key. */
  async #revokeToken(call: Call, token: string): Promise<void> {
    await this.#authorize(call)
    const wasThere = (await this.#tokens.revoke(token)) || (await this.#tokens.revoke(keyOf(token)))
    if (!wasThere) throw new NothingFoundError('There is no such token')
    sendJson(call, 200, { ok: true })
  }

  #fail(call: Pick<Call, 'request' | 'response'>, error: unknown): void {
    const { response } = call
    if (isRegistryError(error, 'ERR_CALLER_GONE') || response.destroyed) return
    // What has been begun can only be broken off: a client must not take a part for the whole.
    if (response.headersSent) response.destroy()
    else sendError(call, this.#known(error))
  }

  #known(error: unknown): RegistryError {
    if (isRegistryError(error)) return error
    if (isDiskFault(error)) return new DiskRefusedError(error)
    this.#warn('a request failed', error)
    return new InternalError(error)
  }

  #warn(message: string, error: unknown): void {
    this.#logger?.warn('registry:gateway:handler', message, {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error)
    })
  }
}

function split(url: string): [path: string, query: string] {
  const mark = url.indexOf('?')
  return mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)]
}

/** As a bearer, or as the password of a user of whatever name. */
function givenToken(authorization: string | undefined): string | undefined {
  const [, scheme = '', text = ''] = /^(Bearer|Basic)\s+(\S{1,512})$/i.exec(authorization ?? '') ?? []
  if (scheme === '') return undefined
  if (scheme.toLowerCase() === 'bearer') return text
  return Buffer.from(text, 'base64').toString('latin1').split(':').slice(1).join(':')
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > MAX_SMALL_BODY_BYTES)
      throw new UnsupportedError('The form is too long', 'Paste the token alone.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function isDiskFault(error: unknown): boolean {
  const codes: unknown[] = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']
  return error instanceof Error && 'code' in error && codes.includes(error.code)
}

function unknownPackage(name: string): NothingFoundError {
  return new NothingFoundError(`${name} is not known to this peer`)
}

function nothingInstallable(name: string, id: string): NothingFoundError {
  return new NothingFoundError(
    `${name} is known, but has no version that npm can install`,
    `Get it without npm: registry get ${id}`
  )
}
