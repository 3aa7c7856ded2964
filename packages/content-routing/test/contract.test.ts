import { contentRouterContract } from '@registry/testing'
import { contentRouter } from '../src/index.ts'

contentRouterContract({ name: 'contentRouter', create: async (components) => contentRouter()(components) })
