import { afterEach, describe, expect, it } from 'vitest'
import { type HttpServer, openHttpServer, parseListen } from '../src/http-server.ts'

const servers: HttpServer[] = []

async function open(...call: Parameters<typeof openHttpServer>): Promise<HttpServer> {
  const server = await openHttpServer(...call)
  servers.push(server)
  return server
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

describe('the HTTP server', () => {
  it('hands a request to the first mount that fits, and answers 404 where none does', async () => {
    const { url } = await open('127.0.0.1:0', [
      { prefix: '/a/b/', handler: (_request, response) => response.end('ab') },
      { prefix: '/a/', handler: (_request, response) => response.end('a') }
    ])
    expect(await (await fetch(`${url}/a/b/c`)).text()).toBe('ab')
    expect(await (await fetch(`${url}/a/c`)).text()).toBe('a')
    const other = await fetch(`${url}/other`)
    expect([other.status, await other.json()]).toEqual([
      404,
      expect.objectContaining({ code: 'ERR_NOT_FOUND' })
    ])
  })

  it('says when another program has the port, and how to take any', async () => {
    const { url } = await open('127.0.0.1:0', [])
    await expect(open(`127.0.0.1:${new URL(url).port}`, [])).rejects.toMatchObject({
      code: 'ERR_PORT_IN_USE',
      hint: expect.stringContaining('--http 127.0.0.1:0')
    })
  })

  it('gives its port back when it closes, also to whom it still talks', async () => {
    const { url, refuse, close } = await open('127.0.0.1:0', [{ prefix: '/', handler: () => {} }])
    const asking = fetch(url).catch(() => 'broken off')
    const { port } = new URL(url)
    refuse()
    await close()
    expect(await asking).toBe('broken off')
    await open(`127.0.0.1:${port}`, [])
  })

  it.each(['0.0.0.0:4873', '[::]:0', '192.0.2.1:80', 'example.org:1'])('does not listen on %s', (listen) => {
    expect(() => parseListen(listen)).toThrow(expect.objectContaining({ code: 'ERR_HTTP_NOT_LOOPBACK' }))
  })

  it.each([
    ['127.0.0.1:4873', '127.0.0.1', 4873],
    ['[::1]:0', '::1', 0],
    ['localhost:1', 'localhost', 1]
  ])('may listen on %s', (listen, host, port) => {
    expect(parseListen(listen)).toEqual({ host, port })
  })
})
