import { type ErrorData, isRegistryError } from '@registry/types'

const REFUSALS: Readonly<Record<string, string>> = Object.freeze({
  EACCES: 'this user may not',
  EEXIST: 'it exists already',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file',
  EPERM: 'this user may not',
  EROFS: 'the file system is read-only'
})

/** What an error says: to a program as one line of `ErrorData`, to a person as a sentence and a hint. */
export function errorText(error: unknown, form: 'json' | 'text'): string {
  const data = errorDataOf(error)
  if (form === 'json') return `${JSON.stringify(data)}\n`
  const lines = [data.message]
  if (data.hint !== undefined) lines.push(`Hint: ${data.hint}`)
  return `${lines.join('\n')}\n`
}

/** Any error as data; one that is not of ours becomes ERR_FILE or ERR_UNEXPECTED. */
export function errorDataOf(error: unknown): ErrorData {
  if (isRegistryError(error)) {
    const data = error.toJSON()
    if (data.hint === undefined && data.retryable) data.hint = 'This may pass: try again.'
    return data
  }
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof Error && 'syscall' in error) {
    const hint = 'Check the path, and that you may use it.'
    return { code: 'ERR_FILE', message: refusal(error), retryable: false, hint }
  }
  const details = error instanceof Error ? { stack: error.stack } : {}
  return {
    code: 'ERR_UNEXPECTED',
    message: `An unexpected fault: ${message}`,
    retryable: false,
    hint: 'This is a mistake of the program; please report it with the output of the same command and --json.',
    details
  }
}

/** A system call that failed, as a sentence where Node tells which file it was about. */
function refusal(error: Error & { syscall: unknown; code?: unknown; path?: unknown }): string {
  const { syscall, code, path, message } = error
  if (typeof code !== 'string' || path === undefined) return message
  return `Cannot ${syscall} ${JSON.stringify(path)}: ${REFUSALS[code] ?? code}`
}
