import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { attestVerb } from './verbs/attest.ts'
import { bootstrapVerb } from './verbs/bootstrap.ts'
import { catalogueVerb } from './verbs/catalogue.ts'
import { configVerb } from './verbs/config.ts'
import { curateVerb } from './verbs/curate.ts'
import { deprecateVerb, undeprecateVerb } from './verbs/deprecate.ts'
import { doctorVerb } from './verbs/doctor.ts'
import { domainVerb } from './verbs/domain.ts'
import { followingVerb, followVerb, unfollowVerb } from './verbs/follow.ts'
import { getVerb } from './verbs/get.ts'
import { initVerb } from './verbs/init.ts'
import { listVerb } from './verbs/list.ts'
import { loginVerb } from './verbs/login.ts'
import { ownerVerb } from './verbs/owner.ts'
import { peersVerb } from './verbs/peers.ts'
import { namesVerb, pinVerb, unpinVerb } from './verbs/pin.ts'
import { publishVerb } from './verbs/publish.ts'
import { readmeVerb } from './verbs/readme.ts'
import { searchVerb } from './verbs/search.ts'
import { showVerb } from './verbs/show.ts'
import { startVerb } from './verbs/start.ts'
import { statusVerb } from './verbs/status.ts'
import { stopVerb } from './verbs/stop.ts'
import { subscribeVerb } from './verbs/subscribe.ts'
import { syncVerb } from './verbs/sync.ts'
import { tagVerb } from './verbs/tag.ts'
import { unpublishVerb } from './verbs/unpublish.ts'
import { validateVerb } from './verbs/validate.ts'
import { verifyVerb } from './verbs/verify.ts'
import { versionsVerb } from './verbs/versions.ts'
import { unyankVerb, yankVerb } from './verbs/yank.ts'

const EXIT_CODES = `
Exit codes:
  0  done                        4    no peer runs with this data folder
  1  failed                      5    failed, and may pass when tried again
  2  the command makes no sense  130  interrupted
  3  not found
`

/** The whole command line, every verb of it. */
export function createProgram(): Command {
  const program = new Command('registry')
    .description('Publish, find and get packages in a registry with no server in the middle.')
    .version(ownVersion())
    // `--version` before a verb is that of the program, after it the verb's own.
    .enablePositionalOptions()
    .addHelpText('after', EXIT_CODES)
  const verbs = [
    startVerb(),
    stopVerb(),
    statusVerb(),
    initVerb(),
    validateVerb(),
    publishVerb(),
    searchVerb(),
    getVerb(),
    showVerb(),
    versionsVerb(),
    listVerb(),
    subscribeVerb(),
    tagVerb(),
    deprecateVerb(),
    undeprecateVerb(),
    yankVerb(),
    unyankVerb(),
    unpublishVerb(),
    readmeVerb(),
    attestVerb(),
    pinVerb(),
    unpinVerb(),
    namesVerb(),
    followVerb(),
    unfollowVerb(),
    followingVerb(),
    curateVerb(),
    domainVerb(),
    catalogueVerb(),
    peersVerb(),
    bootstrapVerb(),
    syncVerb(),
    ownerVerb(),
    loginVerb(),
    verifyVerb(),
    configVerb(),
    doctorVerb()
  ]
  for (const verb of verbs) program.addCommand(verb)
  return program
}

function ownVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  )
  return version
}
