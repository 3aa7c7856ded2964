import { type ErrorData, isRegistryError } from '@registry/types'

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
    return { code: 'ERR_FILE', message, retryable: false, hint: 'Check the path, and that you may use it.' }
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
