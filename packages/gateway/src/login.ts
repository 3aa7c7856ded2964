import { randomBytes } from 'node:crypto'
import type { Clock } from '@registry/types'
import { NothingFoundError } from './errors.ts'

/** Logins under way at once; the oldest makes room. */
const MAX_LOGINS = 64
const LIFETIME_MS = 10 * 60_000

interface Login {
  startedAtMs: number
  /** Set once somebody has shown that he may. */
  token?: string
}

/**
 * Logins by a page: a client opens one and waits, a person shows on the page that the peer is his, and the client is given a
 * token, once.
 */
export class Logins {
  readonly #clock: Clock
  readonly #logins = new Map<string, Login>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  open(): string {
    const id = randomBytes(24).toString('base64url')
    this.#logins.set(id, { startedAtMs: this.#clock.now() })
    for (const oldest of this.#logins.keys()) {
      if (this.#logins.size <= MAX_LOGINS) break
      this.#logins.delete(oldest)
    }
    return id
  }

  /** @throws ERR_NOT_FOUND, there is no such login, or no more */
  check(id: string): void {
    this.#find(id)
  }

  /** @throws ERR_NOT_FOUND */
  approve(id: string, token: string): void {
    this.#find(id).token = token
  }

  /** The token, once; undefined while nobody has approved. @throws ERR_NOT_FOUND */
  collect(id: string): string | undefined {
    const { token } = this.#find(id)
    if (token !== undefined) this.#logins.delete(id)
    return token
  }

  #find(id: string): Login {
    const login = this.#logins.get(id)
    if (login !== undefined && this.#clock.now() - login.startedAtMs < LIFETIME_MS) return login
    this.#logins.delete(id)
    throw new NothingFoundError('There is no such login, or it has taken too long', 'Log in once more.')
  }
}

/** Nothing on the page runs, and nothing is loaded for it. */
export const LOGIN_PAGE_POLICY: string =
  "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

/** The page on which a person shows that the peer is his, or is told what came of it. */
export function loginPage(message?: string): string {
  const form = `<p>A program wants to publish as the owner of this peer. To let it, run
<code>registry login --print</code> as the user who runs the peer, and paste what it shows.</p>
<form method="post"><input name="token" type="password" autocomplete="off" size="60" autofocus required>
<button>Allow</button></form>`
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in</title>
<h1>Log in to your registry</h1>
${message === undefined ? form : `<p>${message}</p>`}
</html>
`
}
