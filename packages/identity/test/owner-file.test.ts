import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRegistryError } from '@registry/types'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadOrCreateOwner, verifyRecord } from '../src/index.ts'

describe('the owner key file', () => {
  let folder: string
  let path: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'identity-'))
    path = join(folder, 'data', 'owner.key')
  })

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('always stands for the same owner, whose key signs for it', async () => {
    const created = await loadOrCreateOwner(path)
    const loaded = await loadOrCreateOwner(path)
    expect(loaded.id).toBe(created.id)
    expect(loaded.inception).toEqual(created.inception)
    expect(loaded.signer.publicKey).toEqual(created.signer.publicKey)
    expect(verifyRecord(loaded.inception, () => undefined)).toMatchObject({
      kind: 'owner',
      owner: created.id
    })
    const message = new Uint8Array([1, 2, 3])
    expect(await loaded.signer.sign(message)).toEqual(await created.signer.sign(message))
  })

  it('is for its user alone and leaves nothing else behind', async () => {
    await loadOrCreateOwner(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(folder, 'data'))).toEqual(['owner.key'])
  })

  it('begins with the private key as other tools read it', async () => {
    await loadOrCreateOwner(path)
    expect(createPrivateKey(await readFile(path)).asymmetricKeyType).toBe('ed25519')
  })

  it('is the same for all who create it at once', async () => {
    const owners = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateOwner(path)))
    expect(new Set(owners.map(({ id }) => id)).size).toBe(1)
    expect(await readdir(join(folder, 'data'))).toEqual(['owner.key'])
  })

  it('may have come from a machine that ends lines otherwise', async () => {
    const { id } = await loadOrCreateOwner(path)
    await writeFile(path, (await readFile(path, 'utf8')).replaceAll('\n', '\r\n'))
    expect((await loadOrCreateOwner(path)).id).toBe(id)
  })

  it('is never replaced by a new owner, whatever happened to it', async () => {
    await loadOrCreateOwner(path)
    const whole = await readFile(path, 'utf8')
    const other = join(folder, 'other.key')
    await loadOrCreateOwner(other)
    const [key] = whole.split('-----BEGIN P2P')
    const [, record] = (await readFile(other, 'utf8')).split('-----BEGIN P2P')
    const damaged = [
      '',
      whole.slice(0, -1),
      whole.slice(0, whole.length / 2),
      String(key),
      whole.slice(String(key).length),
      `${key}-----BEGIN P2P${record}`,
      whole.replace('BEGIN PRIVATE', 'BEGIN PUBLIC'),
      'x'.repeat(20_000)
    ]
    for (const text of damaged) {
      await writeFile(path, text)
      await expect(loadOrCreateOwner(path)).rejects.toThrow(
        expect.toSatisfy((error) => isRegistryError(error, 'ERR_CORRUPT_KEY') && error.hint !== undefined)
      )
      expect(await readFile(path, 'utf8')).toBe(text)
    }
  })

  it('is the same owner or a typed error with any one bit changed', async () => {
    const { id } = await loadOrCreateOwner(path)
    const whole = await readFile(path)
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole)
      flipped[at] = (whole[at] ?? 0) ^ (1 << (at % 8))
      await writeFile(path, flipped)
      const outcome = await loadOrCreateOwner(path).then(
        (owner) => owner.id,
        (error) => isRegistryError(error, 'ERR_CORRUPT_KEY')
      )
      expect([true, id]).toContain(outcome)
    }
  })

  it('is a typed error when it is no file or cannot be written', async () => {
    const rejection = (code: `ERR_${string}`): object =>
      expect.toSatisfy((error) => isRegistryError(error, code))
    await expect(loadOrCreateOwner(folder)).rejects.toThrow(rejection('ERR_CORRUPT_KEY'))
    const dangling = join(folder, 'dangling.key')
    await symlink(join(folder, 'nowhere'), dangling)
    await expect(loadOrCreateOwner(dangling)).rejects.toThrow(rejection('ERR_CORRUPT_KEY'))
    await writeFile(join(folder, 'file'), '')
    await expect(loadOrCreateOwner(join(folder, 'file', 'owner.key'))).rejects.toThrow(
      rejection('ERR_KEY_FILE')
    )
  })
})
