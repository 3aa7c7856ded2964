import { createHash } from 'node:crypto'
import { isRegistryError } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSigner, generatePrivateKey, isSafePublicKey, verifySignature } from '../src/ed25519.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const P = 2n ** 255n - 19n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
/** The order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n

function little(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function littleBytes(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse())
}

const SMALL_ORDER_YS = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'
].map(hex)

function withSignBit(point: Uint8Array): Uint8Array {
  return point.with(31, (point[31] ?? 0) | 0x80)
}

describe('Ed25519', () => {
  // RFC 8032, section 7.1, tests 1 to 3.
  it.each([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'
    ]
  ])('signs as RFC 8032 does with the key %s', async (key, publicKey, message, signature) => {
    const signer = createSigner(hex(key))
    expect(Buffer.from(signer.publicKey).toString('hex')).toBe(publicKey)
    expect(Buffer.from(await signer.sign(hex(message))).toString('hex')).toBe(signature)
    expect(verifySignature(hex(publicKey), hex(message), hex(signature))).toBe(true)
  })

  it('takes what was signed and nothing that differs in a bit', async () => {
    const signer = createSigner(new Uint8Array(32).fill(9))
    const message = hex('00112233445566778899')
    const signature = await signer.sign(message)
    await fc.assert(
      fc.property(fc.nat(63), fc.nat(7), (at, bit) => {
        const flipped = signature.with(at, (signature[at] ?? 0) ^ (1 << bit))
        return !verifySignature(signer.publicKey, message, flipped)
      })
    )
    expect(verifySignature(signer.publicKey, message, signature)).toBe(true)
    expect(verifySignature(signer.publicKey, message.with(0, 1), signature)).toBe(false)
    expect(verifySignature(signer.publicKey, message, signature.subarray(0, 63))).toBe(false)
  })

  it('makes a new key each time and refuses one of another length', () => {
    expect(generatePrivateKey()).not.toEqual(generatePrivateKey())
    expect(() => createSigner(new Uint8Array(31))).toThrow(
      expect.toSatisfy((error) => isRegistryError(error, 'ERR_INVALID_VALUE'))
    )
  })

  it('answers alike for a key that fell out of the cache and came back', async () => {
    const signer = createSigner(new Uint8Array(32).fill(1))
    const message = hex('aa')
    const signature = await signer.sign(message)
    expect(verifySignature(signer.publicKey, message, signature)).toBe(true)
    const other = new Uint8Array(32).fill(2)
    const view = new DataView(other.buffer)
    for (let index = 0; index < 5000; index++) {
      view.setUint32(4, index)
      verifySignature(other, message, signature)
    }
    expect(verifySignature(signer.publicKey, message, signature)).toBe(true)
  })
})

describe('a signature that somebody could alter or pass on to another message', () => {
  it('is refused when S is not below the group order', async () => {
    const signer = createSigner(new Uint8Array(32).fill(9))
    const signature = await signer.sign(hex('01'))
    const s = little(signature.subarray(32)) + L
    const altered = new Uint8Array([...signature.subarray(0, 32), ...littleBytes(s)])
    expect(verifySignature(signer.publicKey, hex('01'), altered)).toBe(false)
  })

  it('is refused by the identity as public key, which would verify every message', () => {
    // With A the identity the equation is R = S·B: any key's own pair of scalar and public key fulfils it.
    const seed = new Uint8Array(32).fill(9)
    const scalar = createHash('sha512').update(seed).digest().subarray(0, 32)
    scalar[0] = (scalar[0] ?? 0) & 0xf8
    scalar[31] = ((scalar[31] ?? 0) & 0x7f) | 0x40
    const r = createSigner(seed).publicKey
    const signature = new Uint8Array([...r, ...littleBytes(little(scalar) % L)])
    for (const identity of ['01', 'ee'].map((first) =>
      SMALL_ORDER_YS.find((y) => y[0] === Number(`0x${first}`))
    )) {
      expect(identity && verifySignature(identity, hex('01'), signature)).toBe(false)
    }
  })

  it('is refused for every public key and every R of small order, in each of their encodings', async () => {
    const signer = createSigner(new Uint8Array(32).fill(9))
    const s = (await signer.sign(hex('01'))).subarray(32)
    for (const point of SMALL_ORDER_YS.flatMap((y) => [y, withSignBit(y)])) {
      expect(isSafePublicKey(point)).toBe(false)
      expect(verifySignature(signer.publicKey, hex('01'), new Uint8Array([...point, ...s]))).toBe(false)
    }
  })

  it('knows all of the points of small order', () => {
    const ys = SMALL_ORDER_YS.map(little)
    // Order 1 and 2: x = 0, y = ±1. Order 4: y = 0. Order 8: doubling gives y = 0, so that d·y⁴ + 2y² − 1 = 0.
    const solves = ys.filter((y) => (D * y ** 4n + 2n * y ** 2n - 1n) % P === 0n)
    expect(solves).toHaveLength(2)
    expect(solves.reduce((a, b) => a + b)).toBe(P)
    const rest = new Set(ys.filter((y) => !solves.includes(y)))
    expect(rest).toEqual(new Set([0n, 1n, P - 1n, P, P + 1n]))
  })

  it('is refused for a public key whose y is not reduced', () => {
    for (let y = P; y < 2n ** 255n; y++) {
      expect(isSafePublicKey(littleBytes(y))).toBe(false)
      expect(isSafePublicKey(withSignBit(littleBytes(y)))).toBe(false)
    }
    expect(isSafePublicKey(littleBytes(P - 2n))).toBe(true)
    expect(isSafePublicKey(littleBytes(2n ** 255n - 1n - 2n ** 100n))).toBe(true)
    expect(isSafePublicKey(new Uint8Array(31))).toBe(false)
  })

  // Test vectors of Chalkias, Garillot, Nikolaenko: Taming the many EdDSAs, 2020 (github.com/novifinancial/ed25519-speccheck).
  it.each([
    [
      'small A and R, S = 0',
      false,
      '8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000'
    ],
    [
      'small A, mixed R',
      false,
      '9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
      'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04'
    ],
    [
      'mixed A, small R',
      false,
      'aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab',
      'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e'
    ],
    [
      'mixed A and R, fulfils the equation without the cofactor',
      true,
      '9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79',
      'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d',
      '9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009'
    ],
    [
      'mixed A and R, fulfils it only with the cofactor',
      false,
      'e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c',
      'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d',
      '160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09'
    ],
    [
      'mixed A, R of the prime order, fulfils it only with the cofactor',
      false,
      'e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c',
      'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d',
      '21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405'
    ],
    [
      'S above the group order',
      false,
      '85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40',
      '442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623',
      'e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514'
    ],
    [
      'S far above the group order',
      false,
      '85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40',
      '442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623',
      '8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22'
    ],
    [
      'small R, not canonical',
      false,
      'fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a',
      'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607'
    ],
    [
      'small R, not canonical, hashed as it stands',
      false,
      '84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1',
      'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09'
    ]
  ])('is judged alike by every OpenSSL: %s', (_, expected, message, publicKey, signature) => {
    expect(verifySignature(hex(publicKey), hex(message), hex(signature))).toBe(expected)
  })
})
