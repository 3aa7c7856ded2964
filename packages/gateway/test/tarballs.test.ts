import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { manifestEntry, seededOwner, serve, tarball } from './serve.ts'

const MANIFEST = { name: 'example', version: '1.0.0' }
const PATH = '/example/-/example-1.0.0.tgz'

describe('a tarball', () => {
  it('is fetched from other peers when it is not here, and is what its owner signed', async () => {
    const { arrive, ask, store } = await serve()
    const bytes = tarball(manifestEntry(MANIFEST), { path: 'package/a', content: 'x'.repeat(100_000) })
    await arrive(await seededOwner('other'), MANIFEST, { bytes })
    expect(store.blobs.usage().blobs).toBe(0)
    const answer = await ask(PATH)
    expect(answer.status).toBe(200)
    expect(answer.bytes.equals(bytes)).toBe(true)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes.length),
      'cache-control': 'public, max-age=31536000, immutable',
      'accept-ranges': 'bytes'
    })
    expect(store.blobs.usage().blobs).toBe(1)
  })

  it('is sent in the part that is asked for', async () => {
    const { arrive, ask } = await serve()
    const bytes = Buffer.from(tarball(manifestEntry(MANIFEST)))
    await arrive(await seededOwner('other'), MANIFEST, { bytes })
    const part = (range: string): ReturnType<typeof ask> => ask(PATH, { headers: { range } })
    const middle = await part('bytes=10-19')
    expect([middle.status, middle.headers['content-range']]).toEqual([206, `bytes 10-19/${bytes.length}`])
    expect(middle.bytes.equals(bytes.subarray(10, 20))).toBe(true)
    expect((await part('bytes=100-')).bytes.equals(bytes.subarray(100))).toBe(true)
    expect((await part('bytes=-7')).bytes.equals(bytes.subarray(-7))).toBe(true)
    expect((await part(`bytes=0-${bytes.length * 2}`)).bytes.equals(bytes)).toBe(true)
    expect((await part(`bytes=${bytes.length}-`)).status).toBe(416)
    expect((await part('bytes=9-3')).status).toBe(416)
    expect((await part('lines=1-2')).status).toBe(200)
  })

  it('is told of by its head without being fetched, and not sent to whom has it', async () => {
    const { arrive, ask, store } = await serve()
    await arrive(await seededOwner('other'), MANIFEST)
    const head = await ask(PATH, { method: 'HEAD' })
    expect([head.status, head.text]).toEqual([200, ''])
    const again = await ask(PATH, { headers: { 'if-none-match': head.headers.etag ?? '' } })
    expect(again.status).toBe(304)
    expect(store.blobs.usage().blobs).toBe(0)
  })

  it('is not kept ready for who does not read it', async () => {
    const { publish, port } = await serve({ readerTimeoutMs: 50 })
    await publish(MANIFEST, { entries: [{ path: 'package/noise', content: randomBytes(20_000_000) }] })
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    await once(socket, 'readable')
    socket.on('error', () => {})
    // Whoever reads nothing learns only by writing that the other side has ended it; writing is a sign of life, so now and then.
    const isEnded = (): boolean => {
      socket.write('\r\n')
      return socket.destroyed
    }
    await expect.poll(isEnded, { interval: 200, timeout: 4000 }).toBe(true)
  })

  it('that nobody has now may be asked for again soon', async () => {
    const { arrive, ask, behaviour } = await serve()
    await arrive(await seededOwner('other'), MANIFEST)
    behaviour.contentRouter.remote.clear()
    const answer = await ask(PATH)
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5'])
    expect(answer.json).toMatchObject({ code: 'ERR_NO_PROVIDERS' })
  })

  it.each([
    '/example/-/example-9.9.9.tgz',
    '/example/-/other-1.0.0.tgz',
    '/example/-/example-one.tgz',
    '/example/-/example-1.0.0.zip',
    '/example/-/%2e%2e%2fexample-1.0.0.tgz',
    '/none/-/none-1.0.0.tgz'
  ])('that is not there is not found: %s', async (path) => {
    const { publish, ask } = await serve()
    await publish(MANIFEST)
    expect((await ask(path)).status).toBe(404)
  })

  it('is found where npm puts the scope into the address twice', async () => {
    const { publish, ask } = await serve()
    await publish({ name: '@scope/name', version: '1.0.0' })
    for (const path of ['/@scope/name/-/name-1.0.0.tgz', '/@scope%2fname/-/@scope/name-1.0.0.tgz']) {
      expect((await ask(path)).status).toBe(200)
    }
  })

  it.each<[string, Record<string, unknown>]>([
    ['dependencies', { dependencies: { evil: '*' } }],
    ['npm', { npm: { shasum: '0'.repeat(40), hasInstallScript: true } }],
    ['npm', { npm: undefined }]
  ])('whose manifest has other %s than were signed is not handed out', async (field, signed) => {
    const { arrive, ask } = await serve()
    await arrive(await seededOwner('other'), MANIFEST, { signed })
    for (let time = 0; time < 2; time++) {
      const answer = await ask(PATH)
      expect([answer.status, answer.json.error]).toEqual([403, expect.stringContaining(field)])
    }
  })

  it('that would lead out of its folder is not handed out, whoever signed it', async () => {
    const { arrive, ask } = await serve()
    const bytes = tarball(manifestEntry(MANIFEST), { path: 'package/../../evil', content: 'x' })
    const described = tarball(manifestEntry(MANIFEST))
    await arrive(await seededOwner('other'), MANIFEST, { bytes, described })
    const answer = await ask(PATH)
    expect([answer.status, answer.json.code]).toEqual([403, 'ERR_UNSAFE_PATH'])
  })

  it('of a version that was signed twice is refused', async () => {
    const { arrive, ask } = await serve()
    const other = await seededOwner('other')
    await arrive(other, MANIFEST)
    await arrive(other, { ...MANIFEST, description: 'another' })
    const answer = await ask(PATH)
    expect([answer.status, answer.json.code]).toEqual([403, 'ERR_VERSION_CONFLICTED'])
  })
})
