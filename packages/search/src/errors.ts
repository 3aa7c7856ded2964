import { RegistryError } from '@registry/types'

/** A page was asked for by something that is no cursor, or by the cursor of another query. */
export class InvalidCursorError extends RegistryError<'ERR_INVALID_CURSOR'> {
  constructor(reason: string) {
    super('ERR_INVALID_CURSOR', `The cursor of the page cannot be used: ${reason}.`, {
      hint: 'Take `next` of the page before, with the same query, or leave it out to start at the first page.',
      details: { reason }
    })
  }
}

/** The index could not be brought to disk. What was put is still found, and the next flush tries again. */
export class SearchStorageError extends RegistryError<'ERR_SEARCH_STORAGE'> {
  constructor(folder: string, cause: unknown) {
    super('ERR_SEARCH_STORAGE', `The search index could not be written to ${JSON.stringify(folder)}.`, {
      retryable: true,
      hint: 'Look whether the disk is full and the folder can be written.',
      cause,
      details: { folder, reason: cause instanceof Error ? cause.message : String(cause) }
    })
  }
}
