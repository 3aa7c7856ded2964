import { parse } from 'smol-toml'
import type { ManifestFormat } from './manifest-format.ts'

/** What all manifests in TOML have in common. */
export const toml: Pick<ManifestFormat, 'parse' | 'versionPattern' | 'namePattern' | 'assignment'> = {
  // Numbers beyond 2^53 say nothing to us, and must not make the file unreadable.
  parse: (text) => parse(text, { integersAsBigInt: 'asNeeded' }),
  versionPattern: /(\bversion["']?[ \t]*=[ \t]*)(?:"[^"\n]*"|'[^'\n]*')/g,
  namePattern: /^[ \t]*["']?name["']?[ \t]*=/gm,
  assignment: (quoted) => `version = ${quoted}\n`
}
