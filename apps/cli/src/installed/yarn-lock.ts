import { parseMap, parseText } from '@registry/types'
import { parse } from 'yaml'
import { type InstalledPackage, packageOf } from './installed-package.ts'

/** Reads a `yarn.lock` of yarn 1, or of a later one, which has a hash of its own archives only. @throws ERR_INVALID_VALUE */
export function readYarnLock(text: string): InstalledPackage[] {
  return text.includes('\n__metadata:') ? readBerryLock(text) : readClassicLock(text)
}

function readBerryLock(text: string): InstalledPackage[] {
  return Object.entries(parseMap(parse(text), 'lockfile')).flatMap(([key, value]) => {
    if (key === '__metadata') return []
    const entry = parseMap(value, key)
    // `leaf@npm:1.0.0`, with `::__archiveUrl=` where the address is not what yarn would make up.
    const resolution = parseText(entry.resolution, key, 4096)
    const [, name, version, rest = ''] = /^(@[^/]+\/[^@]+|[^@/]+)@npm:([^:]+)(.*)$/.exec(resolution) ?? []
    if (name === undefined || version === undefined) return []
    const address = new URLSearchParams(rest.replace(/^::/, '')).get('__archiveUrl')
    return [packageOf({ name, version }, { address })]
  })
}

/** Blocks of lines, each with what was asked for at its head: `leaf@^1.0.0, leaf@1:`. */
function readClassicLock(text: string): InstalledPackage[] {
  return text.split(/\n(?=\S)/).flatMap((block) => {
    const [head = ''] = block.split('\n')
    const [, spec] = /^"?((?:@[^/]+\/)?[^@"]+)@.*:$/m.exec(head) ?? []
    const field = (name: string): string | undefined =>
      new RegExp(`^  ${name} "?([^"\\n]+)"?$`, 'm').exec(block)?.[1]
    const version = field('version')
    if (spec === undefined || version === undefined) return []
    // `foo@npm:leaf@^1.0.0` is an alias.
    const [, alias] = /@npm:((?:@[^/]+\/)?[^@"]+)@/.exec(head) ?? []
    const optional = { integrity: field('integrity'), address: field('resolved') }
    return [packageOf({ name: alias ?? spec, version }, optional)]
  })
}
