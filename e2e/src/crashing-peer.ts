// A peer that publishes without pause until it is killed, and says on standard output what it was given a receipt for.
import { P2PRegistryBuilder } from '@registry/registry'

const [dataDir = '', network = '', source = '', round = ''] = process.argv.slice(2)

const registry = new P2PRegistryBuilder()
  .withDataDir(dataDir)
  .withNetwork(network)
  .withListenAddresses(['/ip4/127.0.0.1/tcp/0'])
  .withBootstrapNodes([source])
  .withConfig({ bootstrap: { mdns: false }, dht: { enabled: false } })
  .build()

function say(what: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

await registry.start()
say({ event: 'started' })

for (let number = 0; ; number++) {
  const name = `made-in-round-${round}`
  const version = `1.0.${number}`
  const manifest = JSON.stringify({ name, version, description: `number ${number} of round ${round}` })
  const { cid } = await registry.publish({
    kind: 'files',
    files: { 'package.json': manifest, 'text.txt': `${name}@${version}\n`.repeat(500) }
  })
  say({ event: 'published', name, version, cid })
  if (number % 4 !== 3) continue
  const message = `not number ${number}`
  await registry.deprecate(`${name}@${version}`, message)
  say({ event: 'deprecated', name, version, message })
}
