import { randomBytes } from 'node:crypto'
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { RegistryError } from '@registry/types'
import { CorruptKeyError, KeyTypeMismatchError, PeerFileError, reasonOf } from './errors.ts'

/** The types of key that a peer's ID can be made from. */
export type PeerKeyType = 'Ed25519' | 'Secp256k1' | 'RSA'

export interface PeerKeyFile {
  path: string
  keyType: PeerKeyType
}

const LIBP2P_TYPES = { Ed25519: 'Ed25519', Secp256k1: 'secp256k1', RSA: 'RSA' } as const
const MAX_KEY_FILE_BYTES = 16 * 1024

/**
 * The peer's private key: what the file at `path` holds, or when there is none, a new key that is on disk when this
 * resolves. The file is the base64 of libp2p's protobuf of the key and one line end; only its user may read it (mode
 * 0600); it is never written over, and of two processes that create it at once both get the one that was first.
 *
 * @throws {CorruptKeyError} ERR_CORRUPT_KEY
 * @throws {KeyTypeMismatchError} ERR_KEY_TYPE_MISMATCH, the file holds a key of another type
 * @throws {PeerFileError} ERR_PEER_FILE, it cannot be read or written
 */
export async function loadOrCreatePeerKey({ path, keyType }: PeerKeyFile): Promise<PrivateKey> {
  try {
    const known = await read(path)
    if (known !== undefined) return parseKey(path, known, keyType)
    const key = await generateKeyPair(LIBP2P_TYPES[keyType])
    const text = `${Buffer.from(privateKeyToProtobuf(key)).toString('base64')}\n`
    if (await create(path, text)) return key
    const other = await read(path)
    if (other === undefined) throw new CorruptKeyError(path, 'it is a link to a file that is not there')
    return parseKey(path, other, keyType)
  } catch (error) {
    throw error instanceof RegistryError ? error : new PeerFileError(path, error)
  }
}

function parseKey(path: string, text: string, keyType: PeerKeyType): PrivateKey {
  const base64 = text.trim()
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new CorruptKeyError(path, 'it is not base64')
  }
  let key: PrivateKey
  try {
    key = privateKeyFromProtobuf(Buffer.from(base64, 'base64'))
  } catch (cause) {
    throw new CorruptKeyError(path, `it holds no private key: ${reasonOf(cause)}`, cause)
  }
  const found = key.type === 'secp256k1' ? 'Secp256k1' : key.type
  if (found !== keyType) throw new KeyTypeMismatchError(path, keyType, found)
  return key
}

/** The text of a file, or undefined when there is none. */
async function read(path: string): Promise<string | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile() || stat.size > MAX_KEY_FILE_BYTES) {
      throw new CorruptKeyError(path, `it is not a file of at most ${MAX_KEY_FILE_BYTES} bytes`)
    }
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_KEY_FILE_BYTES), 0, MAX_KEY_FILE_BYTES, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Creates a file with its whole content or not at all; false when there is one already. */
async function create(path: string, text: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    // A link, unlike a rename, fails when the name is taken.
    await link(draft, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
