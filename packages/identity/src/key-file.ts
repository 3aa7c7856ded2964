import { randomBytes } from 'node:crypto'
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type OwnerIdentity, RegistryError, type Signer } from '@registry/types'
import { createSigner, generatePrivateKey, privateKeyFromPem, privateKeyToPem } from './ed25519.ts'
import { CorruptKeyError, KeyFileError } from './errors.ts'
import { createOwner } from './owner.ts'
import { type VerifiedRecord, verifyRecord } from './record.ts'

const MAX_KEY_FILE_BYTES = 16 * 1024
const OWNER_LABEL = 'P2P REGISTRY OWNER'
const KEY_FILE =
  /^(-----BEGIN PRIVATE KEY-----\n[\w+/=\n]+-----END PRIVATE KEY-----\n)-----BEGIN P2P REGISTRY OWNER-----\n([\w+/=\n]+)-----END P2P REGISTRY OWNER-----\n$/

/**
 * The owner whose key file is at `path`; when there is none, a new owner, whose file is on disk when this resolves. The
 * file is two PEM blocks: the private key (PKCS #8) and the owner's inception, so that it always stands for the same
 * owner. Only its user may read it (mode 0600); it is never written over, and of two processes that create it at once
 * both get the one that was first.
 *
 * @throws {CorruptKeyError} ERR_CORRUPT_KEY, the file is damaged or half of it is missing
 * @throws {KeyFileError} ERR_KEY_FILE, it cannot be read or written
 */
export async function loadOrCreateOwner(path: string): Promise<OwnerIdentity> {
  try {
    const known = await read(path)
    if (known !== undefined) return parseKeyFile(path, known)
    const privateKey = generatePrivateKey()
    const owner = await createOwner(createSigner(privateKey))
    if (await create(path, formatKeyFile(privateKey, owner.inception))) return owner
    const other = await read(path)
    if (other === undefined) throw new CorruptKeyError(path, 'it is a link to a file that is not there')
    return parseKeyFile(path, other)
  } catch (error) {
    throw error instanceof RegistryError ? error : new KeyFileError(path, error)
  }
}

function formatKeyFile(privateKey: Uint8Array, inception: Uint8Array): string {
  const lines =
    Buffer.from(inception)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [
    `${privateKeyToPem(privateKey)}-----BEGIN ${OWNER_LABEL}-----`,
    ...lines,
    `-----END ${OWNER_LABEL}-----`,
    ''
  ].join('\n')
}

function parseKeyFile(path: string, text: string): OwnerIdentity {
  const [, pem, base64] = KEY_FILE.exec(text.replaceAll('\r\n', '\n')) ?? []
  if (pem === undefined || base64 === undefined) {
    throw new CorruptKeyError(path, 'it is not a private key followed by the record of its owner')
  }
  const inception = new Uint8Array(Buffer.from(base64, 'base64'))
  let signer: Signer
  let record: VerifiedRecord
  try {
    signer = createSigner(privateKeyFromPem(pem))
    record = verifyRecord(inception, () => undefined)
  } catch (cause) {
    throw new CorruptKeyError(path, cause instanceof Error ? cause.message : String(cause), cause)
  }
  if (
    record.kind !== 'owner' ||
    !record.document.keys.some((key) => Buffer.compare(key, signer.publicKey) === 0)
  ) {
    throw new CorruptKeyError(path, 'its private key and its record belong to different owners')
  }
  return { id: record.owner, inception, signer }
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
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
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
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
  // Windows has no handle of a folder to flush, and needs none.
  if (process.platform !== 'win32') {
    const entry = await open(folder, 'r')
    try {
      await entry.sync()
    } finally {
      await entry.close()
    }
  }
  return true
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
