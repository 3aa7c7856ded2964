import { UsageError } from '@registry/node'
import { type OwnerId, parseOwnerId } from '@registry/types'

/** Reads an owner as a person writes one, with or without the "@". @throws {UsageError} ERR_USAGE */
export function ownerOf(text: string): OwnerId {
  try {
    return parseOwnerId(text.replace(/^@/, ''))
  } catch {
    throw new UsageError(
      `${JSON.stringify(text.slice(0, 80))} is no owner`,
      'An owner is 59 characters that begin with "bafyrei". See your own: registry owner. That of a package: registry show <name>'
    )
  }
}
