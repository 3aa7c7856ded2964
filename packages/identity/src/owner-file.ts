import type { OwnerIdentity, Signer } from '@registry/types'
import { createSigner, generatePrivateKey, privateKeyFromPem, privateKeyToPem } from './ed25519.ts'
import { CorruptKeyError } from './errors.ts'
import { loadOrCreateKeyFile } from './key-file.ts'
import { createOwner } from './owner.ts'
import { type VerifiedRecord, verifyRecord } from './record.ts'

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
  const text = await loadOrCreateKeyFile(path, async () => {
    const privateKey = generatePrivateKey()
    const { inception } = await createOwner(createSigner(privateKey))
    return formatKeyFile(privateKey, inception)
  })
  return parseKeyFile(path, text)
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
