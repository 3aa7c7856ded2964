import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { CorruptKeyError, loadOrCreateKeyFile } from '@registry/identity'
import { KeyTypeMismatchError, reasonOf } from './errors.ts'

/** The types of key that a peer's ID can be made from. */
export type PeerKeyType = 'Ed25519' | 'Secp256k1' | 'RSA'

export interface PeerKeyFile {
  path: string
  keyType: PeerKeyType
}

const LIBP2P_TYPES = { Ed25519: 'Ed25519', Secp256k1: 'secp256k1', RSA: 'RSA' } as const

/**
 * The peer's private key: what the file at `path` holds, or when there is none, a new key that is on disk when this
 * resolves. The file is the base64 of libp2p's protobuf of the key and one line end, kept as `loadOrCreateKeyFile` does.
 *
 * @throws {CorruptKeyError} ERR_CORRUPT_KEY
 * @throws {KeyTypeMismatchError} ERR_KEY_TYPE_MISMATCH, the file holds a key of another type
 * @throws {KeyFileError} ERR_KEY_FILE, it cannot be read or written
 */
export async function loadOrCreatePeerKey({ path, keyType }: PeerKeyFile): Promise<PrivateKey> {
  const text = await loadOrCreateKeyFile(path, async () => {
    const key = await generateKeyPair(LIBP2P_TYPES[keyType])
    return `${Buffer.from(privateKeyToProtobuf(key)).toString('base64')}\n`
  })
  return parseKey(path, text, keyType)
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
