import { manualClock, memoryStore, registryStoreContract } from '../src/index.ts'

registryStoreContract({
  name: 'memoryStore',
  create: async (init) => {
    const clock = manualClock()
    const store = memoryStore(init)({ clock })
    await store.start()
    return {
      store,
      clock,
      damageBlock: async (cid) => store.damageBlock(cid),
      [Symbol.asyncDispose]: () => store.stop()
    }
  }
})
