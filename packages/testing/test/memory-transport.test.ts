import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { expect, it, onTestFinished } from 'vitest'
import { memoryTransport } from '../src/index.ts'

it('connects any number of nodes at once inside this process', async () => {
  const nodes = await Promise.all(
    Array.from({ length: 12 }, () => createLibp2p({ ...memoryTransport(), streamMuxers: [yamux()] }))
  )
  onTestFinished(async () => {
    for (const node of nodes) await node.stop()
  })
  const [first, ...others] = nodes
  if (first === undefined) throw new Error('unreachable')
  await Promise.all(others.map((node) => node.dial(first.getMultiaddrs())))
  expect(first.getPeers()).toHaveLength(11)
  expect(new Set(nodes.flatMap((node) => node.getMultiaddrs().map(String))).size).toBe(12)
})
