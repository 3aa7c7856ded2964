import { Resolver } from 'node:dns/promises'
import type { AbortOptions } from '@registry/types'

/** What the DNS is asked for. */
export interface TextRecords {
  /** The texts of a name of the type TXT, none when it has none; rejects when the DNS does not answer. */
  texts(name: string, options?: AbortOptions): Promise<string[]>
}

/** Asks these DNS servers, as `192.0.2.1` or `192.0.2.1:53`; those of the system when there are none. */
export function dnsTextRecords(servers: readonly string[], timeoutMs: number): TextRecords {
  return {
    async texts(name, { signal } = {}) {
      signal?.throwIfAborted()
      const resolver = new Resolver({ timeout: timeoutMs, tries: 1 })
      if (servers.length > 0) resolver.setServers([...servers])
      const cancel = (): void => resolver.cancel()
      signal?.addEventListener('abort', cancel, { once: true })
      try {
        return (await resolver.resolveTxt(name)).map((parts) => parts.join(''))
      } catch (error) {
        signal?.throwIfAborted()
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if (code === 'ENOTFOUND' || code === 'ENODATA') return []
        throw error
      } finally {
        signal?.removeEventListener('abort', cancel)
      }
    }
  }
}
