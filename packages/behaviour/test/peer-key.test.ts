import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadOrCreatePeerKey, type PeerKeyType } from '../src/index.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peer-key-'))
  path = join(folder, 'deeper', 'identity.key')
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

const keyTypes: PeerKeyType[] = ['Ed25519', 'Secp256k1', 'RSA']

describe('the peer key', () => {
  it.each(keyTypes)('of type %s is the same at every start', async (keyType) => {
    const created = await loadOrCreatePeerKey({ path, keyType })
    const loaded = await loadOrCreatePeerKey({ path, keyType })
    expect(peerIdFromPrivateKey(loaded).toString()).toBe(peerIdFromPrivateKey(created).toString())
    expect(created.type.toLowerCase()).toBe(keyType.toLowerCase())
  })

  it('is in a file that only its user may read, alone in its folder', async () => {
    await loadOrCreatePeerKey({ path, keyType: 'Ed25519' })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(folder, 'deeper'))).toEqual(['identity.key'])
  })

  it('is one key when several create it at once', async () => {
    const keys = await Promise.all(
      Array.from({ length: 8 }, () => loadOrCreatePeerKey({ path, keyType: 'Ed25519' }))
    )
    expect(new Set(keys.map((key) => peerIdFromPrivateKey(key).toString())).size).toBe(1)
  })

  it('of another type than configured is an error that says so, and stays', async () => {
    await loadOrCreatePeerKey({ path, keyType: 'Ed25519' })
    const before = await readFile(path)
    await expect(loadOrCreatePeerKey({ path, keyType: 'RSA' })).rejects.toMatchObject({
      code: 'ERR_KEY_TYPE_MISMATCH',
      hint: expect.stringContaining('Ed25519'),
      details: { configured: 'RSA', found: 'Ed25519' }
    })
    expect(await readFile(path)).toEqual(before)
  })

  it.each([
    ['empty', ''],
    ['no base64', 'not a key\n'],
    ['base64 of something else', `${Buffer.from('something else').toString('base64')}\n`],
    ['larger than any key', 'A'.repeat(20_000)]
  ])('in a file that is %s is an error with a hint, and the file stays', async (_what, text) => {
    path = join(folder, 'identity.key')
    await writeFile(path, text)
    await expect(loadOrCreatePeerKey({ path, keyType: 'Ed25519' })).rejects.toMatchObject({
      code: 'ERR_CORRUPT_KEY',
      hint: expect.stringContaining('backup')
    })
    expect(await readFile(path, 'utf8')).toBe(text)
  })

  it('that was cut off is an error', async () => {
    await loadOrCreatePeerKey({ path, keyType: 'Ed25519' })
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.slice(0, text.length / 2))
    await expect(loadOrCreatePeerKey({ path, keyType: 'Ed25519' })).rejects.toMatchObject({
      code: 'ERR_CORRUPT_KEY'
    })
  })

  it('in a folder that cannot be is an error of the file', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(
      loadOrCreatePeerKey({ path: join(folder, 'file', 'identity.key'), keyType: 'Ed25519' })
    ).rejects.toMatchObject({ code: 'ERR_KEY_FILE' })
  })
})
