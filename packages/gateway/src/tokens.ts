import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRegistryError, type OwnerId, parseCount, parseMap, parseOwnerId, parseText } from '@registry/types'

/** What is kept of a token: all but the token. */
export interface TokenInfo {
  /** sha2-256 of the token, hexadecimal; names it without giving it away. */
  key: string
  /** Whom it lets publish. */
  owner: OwnerId
  /** For whoever looks through them. */
  label: string
  createdAtMs: number
}

/**
 * Tokens as files of a folder, each named by the hash of its token and readable by its user alone: whoever may write there
 * may publish anyway. Any process may add or remove one, and every other sees that at once.
 */
export interface Tokens {
  /** Makes a token and resolves to it, the only time that it is there to be read. */
  create(owner: OwnerId, label: string, nowMs: number): Promise<string>
  /** What the peer knows of a token; undefined when it is none. */
  find(token: string): Promise<TokenInfo | undefined>
  list(): Promise<TokenInfo[]>
  /** By its key. False when there is none. */
  revoke(key: string): Promise<boolean>
}

/** Where the tokens of a peer are, beside all else that it keeps. */
export function tokensFolder(dataDir: string): string {
  return join(dataDir, 'tokens')
}

const TOKEN = /^p2pr_[\w-]{43}$/
const KEY = /^[\da-f]{64}$/
const MAX_LISTED = 10_000

export function openTokens(folder: string): Tokens {
  const read = async (key: string): Promise<TokenInfo | undefined> => {
    try {
      const document = parseMap(JSON.parse(await readFile(join(folder, key), 'utf8')), 'token')
      return {
        key,
        owner: parseOwnerId(document.owner, 'token.owner'),
        label: parseText(document.label, 'token.label', 256),
        createdAtMs: parseCount(document.createdAtMs, 'token.createdAtMs')
      }
    } catch (error) {
      // What is half written or damaged is no token.
      if (isMissing(error) || error instanceof SyntaxError || isRegistryError(error)) return undefined
      throw error
    }
  }
  return {
    async create(owner, label, createdAtMs) {
      const token = `p2pr_${randomBytes(32).toString('base64url')}`
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const file = await open(join(folder, keyOf(token)), 'wx', 0o600)
      try {
        await file.writeFile(`${JSON.stringify({ owner, label, createdAtMs })}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      return token
    },
    find: async (token) => (TOKEN.test(token) ? read(keyOf(token)) : undefined),
    async list() {
      const names = await readdir(folder).catch((error: unknown) => {
        if (isMissing(error)) return []
        throw error
      })
      const keys = names.filter((name) => KEY.test(name)).slice(0, MAX_LISTED)
      const tokens = await Promise.all(keys.map(read))
      return tokens
        .filter((token) => token !== undefined)
        .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.key < b.key ? -1 : 1))
    },
    async revoke(key) {
      if (!KEY.test(key)) return false
      try {
        await rm(join(folder, key))
        return true
      } catch (error) {
        if (isMissing(error)) return false
        throw error
      }
    }
  }
}

/** The key of a token. */
export function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
