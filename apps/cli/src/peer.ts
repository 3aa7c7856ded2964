import { resolve } from 'node:path'
import { defaultDataDir } from '@registry/config'
import { type ControlClient, controlClient, NoPeerError, readControlFile } from '@registry/control'
import { namedDataDir } from '@registry/node'
import { type AbortOptions, isRegistryError } from '@registry/types'

/** What every verb takes. */
export interface CommonOptions {
  dataDir?: string
  json?: boolean
}

/** The data folder that is meant, as an absolute path. */
export function dataDirOf({ dataDir }: CommonOptions): string {
  return resolve(namedDataDir(dataDir, process.env) ?? defaultDataDir())
}

/**
 * The peer that runs with the data folder that is meant. A control file that was left over, its port perhaps taken by
 * another program or peer since, means that none does.
 *
 * @throws {NoPeerError} ERR_NO_PEER
 */
export async function connectToPeer(options: CommonOptions, call: AbortOptions): Promise<ControlClient> {
  const dataDir = dataDirOf(options)
  const client = controlClient(await readControlFile(dataDir))
  try {
    await client.ping(call)
    return client
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const isAnother = ['ERR_NO_PEER', 'ERR_UNAUTHORIZED', 'ERR_UNREADABLE_ANSWER', 'ERR_CONNECTION_LOST']
    throw isAnother.includes(error.code) ? new NoPeerError({ dataDir }, error) : error
  }
}
