// Puts packages into an index until it is killed, and prints each watermark that is durable.
import { parseOwnerId, parsePackageName } from '@registry/types'
import { searchIndex } from '../src/index.ts'

const owner = parseOwnerId('bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
const index = searchIndex({ folder: process.argv[2] ?? '', maxTableDocuments: 8 })()
let { watermark } = await index.open()
for (;;) {
  for (let count = 0; count < 7; count += 1) {
    watermark += 1
    // Every tenth change takes out what the one before put.
    if (watermark % 10 === 0) index.remove([watermark - 1], watermark)
    else
      index.put(
        [
          {
            package: watermark,
            owner,
            name: parsePackageName(`package-${watermark}`),
            description: 'A package',
            category: 'test',
            tags: [],
            keywords: [],
            updatedAtMs: 0,
            dependents: 0,
            providers: 0,
            trust: 0
          }
        ],
        watermark
      )
  }
  await index.flushed()
  process.stdout.write(`${watermark}\n`)
}
