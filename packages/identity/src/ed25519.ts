import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { parseBytes, type Signer } from '@registry/types'

/** An Ed25519 private key in PKCS #8 (RFC 8410, section 7) is this and the 32 bytes of its seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** OpenSSL takes about 25 µs to read a public key, a third of a verification; a busy owner signs many records. */
const MAX_CACHED_KEYS = 4096

/** y-coordinates, in bytes without the sign bit, of the points of order 1, 2, 4 and 8, and of their encodings above p. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'
])

/** A new Ed25519 private key: 32 random bytes, the seed of RFC 8032. */
export function generatePrivateKey(): Uint8Array {
  return new Uint8Array(randomBytes(32))
}

/** The private key as PKCS #8 PEM, as OpenSSL and SSH tools read it. */
export function privateKeyToPem(privateKey: Uint8Array): string {
  return privateKeyObject(privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Reads what `privateKeyToPem` wrote. Throws whatever OpenSSL does for anything but an Ed25519 key. */
export function privateKeyFromPem(pem: string): Uint8Array {
  const { crv, d } = createPrivateKey(pem).export({ format: 'jwk' })
  if (crv !== 'Ed25519' || d === undefined) throw new TypeError('it holds a key of another kind than Ed25519')
  return new Uint8Array(Buffer.from(d, 'base64url'))
}

/**
 * A signer for a private key as `generatePrivateKey` makes it.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE, not 32 bytes
 */
export function createSigner(privateKey: Uint8Array): Signer {
  const key = privateKeyObject(parseBytes(privateKey, 'privateKey', 32, 32))
  const publicKey = new Uint8Array(
    Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url')
  )
  return {
    publicKey,
    sign: async (message) => new Uint8Array(sign(null, message, key))
  }
}

/**
 * Whether `signature` is one of `message` by `publicKey`: RFC 8032 without the cofactor, and stricter where the RFC
 * leaves a choice, so that every release of OpenSSL answers the same. Refused are: S at or above the group order (also
 * by OpenSSL), a public key that is not in its canonical encoding, and a public key or R of small order, with which one
 * signature fits many messages (Chalkias, Garillot, Nikolaenko: Taming the many EdDSAs, 2020; OpenSSL 3.0 takes them).
 */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || !isSafePublicKey(publicKey) || isSmallOrder(signature.subarray(0, 32)))
    return false
  return verify(null, message, publicKeyObject(publicKey), signature)
}

/** Whether a public key is canonically encoded and not of small order. A key that is not may verify what nobody signed. */
export function isSafePublicKey(publicKey: Uint8Array): boolean {
  return publicKey.length === 32 && isCanonical(publicKey) && !isSmallOrder(publicKey)
}

/** y below p = 2^255 - 19, little-endian. A sign bit without an x is one of the points of small order. */
function isCanonical(point: Uint8Array): boolean {
  const top = (point[31] ?? 0) & 0x7f
  const first = point[0] ?? 0
  return top !== 0x7f || first < 0xed || point.subarray(1, 31).some((byte) => byte !== 0xff)
}

function isSmallOrder(point: Uint8Array): boolean {
  const y = Buffer.from(point)
  y[31] = (y[31] ?? 0) & 0x7f
  return SMALL_ORDER.has(y.toString('hex'))
}

function privateKeyObject(privateKey: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, privateKey]), format: 'der', type: 'pkcs8' })
}

const publicKeys = new Map<string, KeyObject>()

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url')
  const known = publicKeys.get(x)
  const key = known ?? createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  // A Map keeps the order of insertion: the first entry is the one used longest ago.
  publicKeys.delete(x)
  publicKeys.set(x, key)
  if (publicKeys.size > MAX_CACHED_KEYS) publicKeys.delete(publicKeys.keys().next().value ?? x)
  return key
}
