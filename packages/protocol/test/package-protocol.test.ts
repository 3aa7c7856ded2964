import { packageProtocolContract } from '@registry/testing'
import { startPeers } from './peers.ts'

packageProtocolContract({
  name: 'packageProtocol',
  create: async ({ handlers, admit, requestTimeoutMs }) => {
    const [answering, asking] = await startPeers({ handlers, admit }, { init: { requestTimeoutMs } })
    if (answering === undefined || asking === undefined) throw new Error('unreachable')
    return {
      protocol: asking.protocol,
      askerId: asking.id,
      peerId: answering.id,
      clock: asking.clock,
      disconnect: () => asking.node.hangUp(answering.node.peerId),
      [Symbol.asyncDispose]: async () => {
        await asking[Symbol.asyncDispose]()
        await answering[Symbol.asyncDispose]()
      }
    }
  }
})
