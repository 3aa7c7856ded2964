import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  controlFilePath,
  createControlToken,
  readControlFile,
  removeControlFile,
  writeControlFile
} from '../src/index.ts'

let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'registry-control-file-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

const content = (token = createControlToken()) => ({
  url: 'http://127.0.0.1:4873',
  token,
  pid: process.pid,
  peerId: '12D3KooW',
  startedAtMs: 1
})

describe('the control file', () => {
  it('reads back what was written, for its user only, and leaves no draft', async () => {
    const written = content()
    await writeControlFile(dataDir, content())
    await writeControlFile(dataDir, written)
    expect(await readControlFile(dataDir)).toEqual(written)
    expect((await stat(controlFilePath(dataDir))).mode & 0o777).toBe(0o600)
    expect(await readdir(dataDir)).toEqual(['control.json'])
  })

  it('means that no peer runs when it is not there', async () => {
    await expect(readControlFile(dataDir)).rejects.toMatchObject({
      code: 'ERR_NO_PEER',
      message: 'No peer is running with this data folder',
      hint: 'Start one: registry start',
      details: { dataDir }
    })
    await expect(readControlFile(join(dataDir, 'none'))).rejects.toMatchObject({ code: 'ERR_NO_PEER' })
  })

  it.each(['', '{', '[]', '{"url":1}', JSON.stringify({ ...content(), token: 'x'.repeat(20_000) })])(
    'is refused when it is damaged: %.20s',
    async (text) => {
      await writeFile(controlFilePath(dataDir), text)
      await expect(readControlFile(dataDir)).rejects.toMatchObject({ code: 'ERR_CONTROL_FILE' })
    }
  )

  it('is removed by the peer that wrote it, not by one that was replaced', async () => {
    const written = content()
    await writeControlFile(dataDir, written)
    await removeControlFile(dataDir, createControlToken())
    expect(await readdir(dataDir)).toEqual(['control.json'])
    await removeControlFile(dataDir, written.token)
    await removeControlFile(dataDir, written.token)
    expect(await readdir(dataDir)).toEqual([])
  })

  it('has a token of 32 random bytes', () => {
    expect(Buffer.from(createControlToken(), 'base64url')).toHaveLength(32)
    expect(createControlToken()).not.toBe(createControlToken())
  })
})
