import { homedir, hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { formatProjectNames } from '@registry/types'
import type { Command } from 'commander'
import { writeNpmSetting } from '../npmrc.ts'
import { print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer, dataDirOf } from '../peer.ts'
import { readProjectLock } from '../project-lock.ts'
import { does, verb } from '../verb.ts'

interface LoginOptions extends CommonOptions {
  print?: boolean
  npmrc?: string
}

export function loginVerb(): Command {
  const command = verb('login', {
    summary: 'Let npm, pnpm, yarn and bun publish as the owner of this peer.',
    details:
      "Makes a token and writes it into npm's own configuration, for this peer's address only. With --print it is shown in place of that, as for the page that npm login opens. Whoever has the token can publish in your name through this peer; npm logout ends it.",
    example: 'registry login'
  })
    .option('--print', 'show the token and write nothing')
    .option('--npmrc <file>', "where to write it; by default npm's configuration of this user")
  return does<[], LoginOptions>(command, async (options, signal) => {
    const { url, token } = await createToken(options, signal)
    if (options.print === true) {
      if (options.json) printJson({ registry: `${url}/`, token })
      else print(token)
      return
    }
    const path = resolve(options.npmrc ?? process.env.NPM_CONFIG_USERCONFIG ?? join(homedir(), '.npmrc'))
    for (const address of [url, ...(await projectAddresses(url))]) {
      await writeNpmSetting(path, `${address.replace(/^http:/, '')}/:_authToken`, token)
    }
    if (options.json) printJson({ registry: `${url}/`, path })
    else print(`Wrote a token for ${url}/ into ${path}`, `Next: npm publish --registry ${url}/`)
  })
}

/** Where the project at hand finds this peer by a longer address, npm publishes with a token for exactly that. */
async function projectAddresses(url: string): Promise<string[]> {
  const { names, address } = await readProjectLock(process.cwd())
  return address === url && names.size > 0 ? [`${url}/~/${formatProjectNames(names)}`] : []
}

async function createToken(
  options: CommonOptions,
  signal: AbortSignal
): Promise<{ url: string; token: string }> {
  const client = await connectToPeer(options, { signal })
  const { owner } = await client.status({ signal })
  // The registry behind it is loaded by those who need it only.
  const { openTokens, tokensFolder } = await import('@registry/gateway')
  const tokens = openTokens(tokensFolder(dataDirOf(options)))
  return { url: client.url, token: await tokens.create(owner, `registry login on ${hostname()}`, Date.now()) }
}
