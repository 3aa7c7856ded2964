import { createSocket } from 'node:dgram'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { signRelease, signStatement } from '@registry/identity'
import { makeRelease, makeStatement, seededOwner } from '@registry/testing'
import { type OwnerIdentity, parsePackageName, type StatementFact } from '@registry/types'
import { describe, expect, it, onTestFinished } from 'vitest'
import { dnsTextRecords } from '../src/index.ts'
import { type LonePeer, lonePeer } from './lone-peer.ts'
import { tempFolder } from './temp-folder.ts'

const [ada, bob, cleo] = await Promise.all([seededOwner('ada'), seededOwner('bob'), seededOwner('cleo')])
const HOUR_MS = 3_600_000

async function released({ store }: LonePeer, owner: OwnerIdentity, name: string): Promise<void> {
  const release = makeRelease({ owner: owner.id, name })
  await store.catalogue.ingest([owner.inception, await signRelease(release, owner.signer)])
}

async function said(
  { store }: LonePeer,
  owner: OwnerIdentity,
  name: string,
  fact: StatementFact,
  seq = 1
): Promise<void> {
  const statement = makeStatement({ owner: owner.id, name: parsePackageName(name), seq, fact })
  await store.catalogue.ingest([owner.inception, await signStatement(statement, owner.signer)])
}

async function ownerOf({ registry }: LonePeer, name: string): Promise<string | undefined> {
  return (await registry.metadata(name))?.owner
}

/** A name that Ada and Bob have. */
async function contested(name = 'kit'): Promise<LonePeer> {
  const peer = await lonePeer()
  for (const owner of [ada, bob]) await released(peer, owner, name)
  return peer
}

describe('a name that several have', () => {
  it('is refused with what helps to choose, and the command by which one does', async () => {
    const peer = await contested()
    await peer.registry.follow(bob.id)
    await expect(ownerOf(peer, 'kit')).rejects.toMatchObject({
      code: 'ERR_AMBIGUOUS_NAME',
      message: expect.stringContaining(`@${bob.id}/kit (1.0.0, followed)`),
      hint: expect.stringContaining('registry pin @OWNER/kit')
    })
  })

  it('means what was pinned, until it is unpinned, over a restart too', async () => {
    const peer = await contested()
    const { registry } = peer
    await registry.pin('kit', bob.id)
    expect(await ownerOf(peer, 'kit')).toBe(bob.id)
    await registry.pin('kit', ada.id)
    await registry.stop()
    await registry.start()
    expect(await registry.names()).toEqual([{ name: 'kit', owner: ada.id, by: 'pin' }])
    expect(await ownerOf(peer, 'kit')).toBe(ada.id)
    expect([await registry.unpin('kit'), await registry.unpin('kit')]).toEqual([true, false])
    await expect(ownerOf(peer, 'kit')).rejects.toMatchObject({ code: 'ERR_AMBIGUOUS_NAME' })
  })

  it('means what a followed curator says, and nothing by those who are not followed', async () => {
    const peer = await contested()
    await said(peer, cleo, 'kit', { field: 'alias', owner: bob.id })
    await expect(ownerOf(peer, 'kit')).rejects.toMatchObject({ code: 'ERR_AMBIGUOUS_NAME' })
    expect([await peer.registry.follow(cleo.id), await peer.registry.follow(cleo.id)]).toEqual([true, false])
    expect(await ownerOf(peer, 'kit')).toBe(bob.id)
    await said(peer, cleo, 'kit', { field: 'alias', owner: null }, 2)
    await expect(ownerOf(peer, 'kit')).rejects.toMatchObject({ code: 'ERR_AMBIGUOUS_NAME' })
  })

  it('is refused when curators disagree, saying who means what', async () => {
    const peer = await contested()
    await said(peer, cleo, 'kit', { field: 'alias', owner: bob.id })
    await peer.registry.follow(cleo.id)
    await peer.registry.curate('kit', ada.id)
    await expect(ownerOf(peer, 'kit')).rejects.toMatchObject({
      code: 'ERR_AMBIGUOUS_NAME',
      message: expect.stringContaining(`named by @${cleo.id}`)
    })
    await peer.registry.unfollow(cleo.id)
    expect(await ownerOf(peer, 'kit')).toBe(ada.id)
  })

  it('keeps the owner that was pinned, whatever a curator says later', async () => {
    const peer = await contested()
    await peer.registry.pin('kit', ada.id)
    await said(peer, cleo, 'kit', { field: 'alias', owner: bob.id })
    await peer.registry.follow(cleo.id)
    expect(await ownerOf(peer, 'kit')).toBe(ada.id)
  })

  it('is told of to those who listen, when it was changed and only then', async () => {
    const { registry } = await contested()
    let told = 0
    const unlisten = registry.onNamesChange(() => told++)
    await registry.pin('kit', ada.id)
    await registry.follow(bob.id)
    await registry.follow(bob.id)
    await registry.unpin('kit')
    await registry.unpin('kit')
    expect(told).toBe(3)
    unlisten()
    await registry.unfollow(bob.id)
    expect(told).toBe(3)
  })
})

describe('following', () => {
  it('is durable and in order', async () => {
    const { registry } = await lonePeer()
    for (const owner of [bob, ada, cleo]) await registry.follow(owner.id)
    await registry.unfollow(ada.id)
    await registry.stop()
    await registry.start()
    expect(await registry.following()).toEqual([bob.id, cleo.id])
    await expect(registry.follow('nobody')).rejects.toMatchObject({ code: 'ERR_INVALID_VALUE' })
  })

  it.each([
    ['following.json', '{}'],
    ['following.json', '["me"]'],
    ['domains.json', '[]'],
    ['names.json', '[1]']
  ])('is not begun anew because %s is damaged', async (file, text) => {
    const dataDir = await tempFolder()
    await writeFile(join(dataDir, file), text)
    await expect(lonePeer({ dataDir })).rejects.toMatchObject({ code: 'ERR_CORRUPT_NAMES' })
  })
})

describe('a curator', () => {
  it('says the same once', async () => {
    const { registry } = await lonePeer()
    expect((await registry.curate('kit', ada.id)).ids).toHaveLength(1)
    expect((await registry.curate('kit', ada.id)).ids).toEqual([])
    expect((await registry.curate('kit', null)).ids).toHaveLength(1)
  })
})

describe('a name under a domain', () => {
  /** Ada claims the domain and has a package, and the DNS names her. */
  async function proven(): Promise<LonePeer> {
    const peer = await lonePeer()
    await said(peer, ada, 'example.org', { field: 'domain', claimed: true })
    await released(peer, ada, 'kit')
    peer.dns.records.set('_p2p-registry.example.org', ['v=spf1 -all', `owner=${ada.id}`])
    return peer
  }

  it('means the package of whom the domain names and who claims it', async () => {
    const peer = await proven()
    await released(peer, bob, '@example.org/kit')
    expect(await peer.registry.metadata('@example.org/kit')).toMatchObject({ owner: ada.id, name: 'kit' })
    await released(peer, ada, '@example.org/kit')
    expect(await peer.registry.metadata('@example.org/kit')).toMatchObject({
      owner: ada.id,
      name: '@example.org/kit'
    })
    expect(await peer.registry.metadata('@example.org/none')).toBeUndefined()
  })

  it('asks no DNS where nobody claims it, and not again within an hour', async () => {
    const peer = await proven()
    expect(await peer.registry.metadata('@example.net/kit')).toBeUndefined()
    expect(peer.dns.questions).toBe(0)
    await Promise.all([ownerOf(peer, '@example.org/kit'), ownerOf(peer, '@example.org/kit')])
    await ownerOf(peer, '@example.org/kit')
    expect(peer.dns.questions).toBe(1)
    await peer.clock.advance(HOUR_MS)
    await ownerOf(peer, '@example.org/kit')
    expect(peer.dns.questions).toBe(2)
  })

  it('goes on meaning it when the DNS is away, after a restart too, and not once the DNS takes it back', async () => {
    const peer = await proven()
    await ownerOf(peer, '@example.org/kit')
    peer.dns.isDown = true
    await peer.registry.stop()
    await peer.clock.advance(HOUR_MS)
    await peer.registry.start()
    expect(await ownerOf(peer, '@example.org/kit')).toBe(ada.id)
    peer.dns.isDown = false
    peer.dns.records.clear()
    await expect(ownerOf(peer, '@example.org/kit')).rejects.toMatchObject({ code: 'ERR_DOMAIN_UNPROVEN' })
  })

  it('is refused where one of the two does not say so, though only one has the name', async () => {
    const peer = await lonePeer()
    await released(peer, bob, '@example.org/kit')
    const unproven = {
      code: 'ERR_DOMAIN_UNPROVEN',
      hint: expect.stringContaining('_p2p-registry.example.org TXT "owner=OWNER"')
    }
    await expect(ownerOf(peer, '@example.org/kit')).rejects.toMatchObject(unproven)
    await said(peer, bob, 'example.org', { field: 'domain', claimed: true })
    await expect(ownerOf(peer, '@example.org/kit')).rejects.toMatchObject(unproven)
    peer.dns.records.set('_p2p-registry.example.org', [`owner=${ada.id}`])
    await peer.clock.advance(HOUR_MS)
    await expect(ownerOf(peer, '@example.org/kit')).rejects.toMatchObject(unproven)
    // Bob's own name for it works always, and so does what was pinned.
    expect((await peer.registry.metadata(`@${bob.id}/@example.org/kit`))?.owner).toBe(bob.id)
    await peer.registry.pin('@example.org/kit', bob.id)
    expect(await ownerOf(peer, '@example.org/kit')).toBe(bob.id)
  })

  it('is nobody’s when its DNS names two who claim it', async () => {
    const peer = await proven()
    await said(peer, bob, 'example.org', { field: 'domain', claimed: true })
    peer.dns.records.get('_p2p-registry.example.org')?.push(`owner=${bob.id}`)
    await expect(ownerOf(peer, '@example.org/kit')).rejects.toMatchObject({ code: 'ERR_DOMAIN_UNPROVEN' })
    await said(peer, bob, 'example.org', { field: 'domain', claimed: false }, 2)
    expect(await ownerOf(peer, '@example.org/kit')).toBe(ada.id)
  })

  it('is claimed by whoever likes, and checked on demand', async () => {
    const { registry, dns, owner } = await lonePeer()
    expect((await registry.claimDomain('example.org', true)).ids).toHaveLength(1)
    const record = { name: '_p2p-registry.example.org', text: `owner=${owner.id}` }
    const before = await registry.checkDomain('example.org')
    expect(before).toEqual({
      domain: 'example.org',
      record,
      claimants: [owner.id],
      named: [],
      askedAtMs: expect.any(Number)
    })
    dns.records.set(record.name, [record.text])
    expect(await registry.checkDomain('example.org')).toMatchObject({ named: [owner.id], owner: owner.id })
    dns.isDown = true
    expect(await registry.checkDomain('example.org')).toMatchObject({ askedAtMs: null, owner: owner.id })
    for (const domain of ['example', 'Example.org', 'a..b', '-a.org', '1.2.3.4', '']) {
      await expect(registry.claimDomain(domain, true), domain).rejects.toThrow('must be a domain')
    }
  })
})

describe('the DNS', () => {
  it('is asked at the servers that are given, and a name without texts has none', async () => {
    const server = createSocket('udp4')
    onTestFinished(() => void server.close())
    const questions: string[] = []
    server.on('message', (query, { port, address }) => {
      const labels = readName(query)
      questions.push(labels)
      server.send(
        answerTo(query, labels.startsWith('_p2p-registry.') ? ['owner=', 'abc'] : undefined),
        port,
        address
      )
    })
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
    const dns = dnsTextRecords([`127.0.0.1:${server.address().port}`], 5000)
    expect(await dns.texts('_p2p-registry.example.org')).toEqual(['owner=abc'])
    expect(await dns.texts('nothing.example.org')).toEqual([])
    expect(questions).toEqual(['_p2p-registry.example.org', 'nothing.example.org'])
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(dns.texts('example.org', { signal: aborted })).rejects.toThrow('enough')
  })
})

/** The name in the question of a DNS message (RFC 1035, section 4.1). */
function readName(message: Buffer): string {
  const labels: string[] = []
  for (let at = 12; message[at] !== undefined && message[at] !== 0; at += 1 + (message[at] ?? 0)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + (message[at] ?? 0)))
  }
  return labels.join('.')
}

/** The message with one TXT record of these parts, or that there is no such name. */
function answerTo(query: Buffer, parts: readonly string[] | undefined): Buffer {
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(parts === undefined ? 0x8183 : 0x8180, 2)
  header.writeUInt16BE(parts === undefined ? 0 : 1, 6)
  header.writeUInt32BE(0, 8)
  const question = query.subarray(12, 12 + readName(query).length + 2 + 4)
  if (parts === undefined) return Buffer.concat([header, question])
  const data = Buffer.concat(
    parts.map((part) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part)]))
  )
  const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, data.length])
  return Buffer.concat([header, question, record, data])
}
