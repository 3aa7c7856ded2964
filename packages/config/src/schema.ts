import { isIPv4, isIPv6 } from 'node:net'
import { PROTOCOL_LIMITS } from '@registry/types'
import { z } from 'zod'
import type { BootstrapNode, P2PConfig } from './config.ts'

/** The longest delay of a timer; one above it fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1

function text(maxLength: number): z.ZodString {
  return z
    .string({ error: 'must be a text' })
    .min(1, { error: 'must not be empty', abort: true })
    .max(maxLength, { error: `must be at most ${maxLength} characters long` })
}

function count(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodInt {
  const error = `must be a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

function milliseconds(min = 1): z.ZodInt {
  return count(min, MAX_DELAY_MS)
}

const yesOrNo = z.boolean({ error: 'must be true or false' })

function list<Item extends z.ZodType>(item: Item, minLength = 0, maxLength = 256): z.ZodArray<Item> {
  return z
    .array(item, { error: 'must be a list' })
    .min(minLength, { error: 'must not be empty' })
    .max(maxLength, { error: `must have at most ${maxLength} entries` })
}

function oneOf<const Values extends readonly [string, ...string[]]>(
  ...values: Values
): z.ZodEnum<{ [Value in Values[number]]: Value }> {
  return z.enum(values, { error: `must be ${values.map((value) => JSON.stringify(value)).join(' or ')}` })
}

/** Only its first character is checked: the layer that dials or listens reads it. */
const multiaddr = text(512).startsWith('/', {
  error: 'must be a multiaddr, such as "/ip4/127.0.0.1/tcp/4001"'
})

const nodeForms = z.union([
  text(512).regex(/^\/.+\/p2p\/[^/]+$/),
  z.strictObject({ peerId: text(128), address: multiaddr })
])

const bootstrapNode = z.custom<BootstrapNode>((value) => nodeForms.safeParse(value).success, {
  error: 'must be a multiaddr that ends in "/p2p/" and a peer ID, or { peerId, address }'
})

const hostAndPort = text(260).refine(
  (value) => {
    const port = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(value)?.[1]
    return port !== undefined && Number(port) <= 65535
  },
  { error: 'must be HOST:PORT, such as "127.0.0.1:4873" or "[::1]:0"' }
)

const webAddress = text(512).refine(
  (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
  {
    error: 'must be an address such as "https://packages.example.org"'
  }
)

const originRule = text(1024).regex(/^\s*\S+\s+(peers|https?:\/\/\S+)\s*$/, {
  error: 'must be a pattern and "peers" or an address, such as "@acme/* peers"'
})

const mirror = text(128).regex(/^(?:\*|[1-9A-HJ-NP-Za-km-z]{46,64})$/, {
  error: 'must be a peer ID, or "*" for every peer of the network'
})

const dnsServer = text(64).refine(
  (value) => {
    const [, v4 = '', v6 = '', port = '53'] =
      /^(?:([\d.]+)|\[([\da-fA-F:.]+)\])(?::(\d{1,5}))?$/.exec(value) ?? []
    return isIPv6(value) || ((isIPv4(v4) || isIPv6(v6)) && Number(port) <= 65535)
  },
  { error: 'must be ADDRESS or ADDRESS:PORT, such as "192.0.2.1:53" or "[2001:db8::1]:53"' }
)

/** The rule and the meaning of every setting. */
const SECTIONS = {
  network: z.strictObject({
    name: text(32)
      .regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'must be made of a to z, 0 to 9 and "-", which is not first' })
      .describe('Which network this peer belongs to; peers of different networks do not hear each other.'),
    listenAddresses: list(multiaddr).describe('Multiaddrs to listen on; port 0 takes any free one.'),
    announceAddresses: list(multiaddr).describe(
      'Multiaddrs to tell others in place of those listened on, as behind a router that forwards a port.'
    ),
    protocols: list(oneOf('tcp', 'websocket', 'quic'), 1).describe('Transports to speak.'),
    maxConnections: count(1, 65_535).describe('Connections open at once; further ones are closed.'),
    minPeers: count(0, 65_535).describe('Below this many connected peers, more are looked for.'),
    connectionTimeoutMs: milliseconds().describe('How long a dial may take.'),
    idleTimeoutMs: milliseconds().describe('A request stream unused this long is closed.')
  }),
  security: z.strictObject({
    noiseEnabled: z
      .literal(true, {
        error:
          'must be true: without Noise nobody could tell who is on a connection, and anyone between could change it'
      })
      .describe('Connections are encrypted and authenticated by Noise, always.'),
    keyType: oneOf('Ed25519', 'Secp256k1', 'RSA').describe(
      'Kind of the key behind the peer ID, when it is created.'
    ),
    identityPath: text(4096)
      .exactOptional()
      .describe('File of the key behind the peer ID; by default identity.key in the data folder.')
  }),
  bootstrap: z.strictObject({
    enabled: yesOrNo.describe('Dial the nodes below, at the start and whenever peers are too few.'),
    nodes: list(bootstrapNode).describe('Peers to begin with.'),
    mdns: yesOrNo.describe('Find peers in the local network by multicast DNS.'),
    retryIntervalMs: milliseconds().describe('Longest wait between two rounds of looking for peers.')
  }),
  dht: z.strictObject({
    enabled: yesOrNo.describe('Find peers and holders of contents in the DHT.'),
    server: yesOrNo.describe('Answer queries of others too; needs an address they can dial.'),
    protocolName: text(128)
      .startsWith('/', { error: 'must start with "/"' })
      .exactOptional()
      .describe('Name of the DHT protocol; by default made of the name of the network.'),
    replication: count(1, 100).describe('How many of the nearest peers store a provider record.'),
    queryTimeoutMs: milliseconds().describe('How long one query may take.'),
    providerRecordTtlMs: milliseconds().describe('A provider not heard of for this long is forgotten.'),
    cacheSize: count(0).describe('Contents whose providers are remembered.')
  }),
  gossipsub: z.strictObject({
    heartbeatIntervalMs: milliseconds(10).describe('Interval of the upkeep of the mesh.'),
    historyLength: count(1, 1000).describe('Heartbeats for which a message can be asked for.'),
    historyGossip: count(1, 1000).describe('Heartbeats for which a message is told of.'),
    meshSize: count(1, 1000).describe('Peers to keep in the mesh.'),
    meshLow: count(0, 1000).describe('Below this many, peers are added to the mesh.'),
    meshHigh: count(1, 1000).describe('Above this many, peers are taken out of the mesh.'),
    topicPrefix: text(64)
      .regex(/^[\w.-]+$/, { error: 'must be made of letters, digits, ".", "_" and "-"' })
      .describe('First part of the name of every topic.')
  }),
  sync: z.strictObject({
    intervalMs: milliseconds(100).describe('How often the catalogue is compared with a random peer.')
  }),
  catalogue: z.strictObject({
    mode: oneOf('full', 'light').describe(
      'Keep the catalogue in step with other peers, or only what this peer needs and asks for.'
    ),
    shardBits: count(0, PROTOCOL_LIMITS.maxShardBits).describe(
      'The names of packages are cut into 2 to the power of this many shards.'
    ),
    shards: list(count(0, 2 ** PROTOCOL_LIMITS.maxShardBits - 1), 1, 2 ** PROTOCOL_LIMITS.maxShardBits)
      .exactOptional()
      .describe('The shards this peer keeps, counted from 0; by default all.'),
    holdersTimeoutMs: milliseconds().describe(
      'How long others may take that are asked for what is not kept here, all of them together.'
    )
  }),
  names: z.strictObject({
    dnsServers: list(dnsServer).describe(
      'DNS servers that tell whose a domain is, as address or address:port; by default those of the system.'
    )
  }),
  storage: z.strictObject({
    quotaBytes: count(1).describe('Contents kept on disk; above that, those not pinned make room.')
  }),
  limits: z.strictObject({
    recordsPerSecondPerPeer: count(1).describe('New records taken from one peer unasked.'),
    requestsPerSecondPerPeer: count(1).describe('Requests answered to one peer.'),
    maxPackageBytes: count(1, PROTOCOL_LIMITS.maxPackageBytes).describe(
      'Largest package published or fetched here.'
    )
  }),
  http: z.strictObject({
    listen: hostAndPort.describe('Where the local API listens; port 0 takes any free one.')
  }),
  gateway: z.strictObject({
    publicUrl: webAddress
      .exactOptional()
      .describe('Address of the npm registry for others than this machine, as behind a proxy.'),
    origins: list(originRule).describe(
      'Where the packages of names come from, the first rule that fits deciding; by default the peers.'
    ),
    mirrors: list(mirror).describe(
      "Peers whose word about other registries' documents counts, and who are given them: peer IDs, or * for all."
    )
  })
} satisfies { [Section in keyof P2PConfig]: z.ZodType<P2PConfig[Section]> }

/** How the text of a variable or a flag becomes a value. */
export type SettingForm = 'boolean' | 'number' | 'list' | 'numbers' | 'text'

/** One setting, `path` being `section.key`. */
export interface Setting {
  path: string
  section: string
  key: string
  form: SettingForm
  description: string
  /** Of a number that has one. */
  unit?: string
}

/** Every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = Object.entries(SECTIONS).flatMap(([section, { shape }]) =>
  Object.entries<z.ZodType>(shape).map(([key, rule]) => {
    const setting: Setting = {
      path: `${section}.${key}`,
      section,
      key,
      form: formOf(rule),
      description: rule.description ?? ''
    }
    const unit = unitOf(key)
    if (unit !== undefined) setting.unit = unit
    return setting
  })
)

/** Any of the settings, in their sections; nothing else. */
export const OVERRIDES: z.ZodType<Record<string, unknown>> = z.strictObject(
  Object.fromEntries(
    Object.entries<z.ZodObject>(SECTIONS).map(([name, section]) => [name, section.partial().optional()])
  )
)

/** The value that a configuration has for a setting, or undefined. */
export function settingIn(config: object, { section, key }: Setting): unknown {
  const keys: unknown = new Map<string, unknown>(Object.entries(config)).get(section)
  return typeof keys === 'object' && keys !== null
    ? new Map<string, unknown>(Object.entries(keys)).get(key)
    : undefined
}

function formOf(rule: z.core.$ZodType): SettingForm {
  if (rule instanceof z.ZodBoolean || rule instanceof z.ZodLiteral) return 'boolean'
  if (rule instanceof z.ZodNumber) return 'number'
  if (rule instanceof z.ZodExactOptional) return formOf(rule.def.innerType)
  if (!(rule instanceof z.ZodArray)) return 'text'
  return rule.element instanceof z.ZodNumber ? 'numbers' : 'list'
}

function unitOf(key: string): string | undefined {
  if (key.endsWith('Ms')) return 'ms'
  if (key.endsWith('Bytes')) return 'bytes'
  return key.includes('PerSecond') ? 'per second' : undefined
}
