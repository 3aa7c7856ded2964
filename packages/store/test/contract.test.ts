import { registryStoreContract } from '@registry/testing'
import { damageBlock, runningStore } from './folder-store.ts'

registryStoreContract({
  name: 'registryStore',
  create: async (options) => {
    const store = await runningStore(options)
    return {
      store,
      clock: store.clock,
      damageBlock: (cid) => damageBlock(store.dataDir, cid),
      [Symbol.asyncDispose]: () => store.stop()
    }
  }
})
