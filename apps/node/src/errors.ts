import { RegistryError } from '@registry/types'

/** The HTTP server may not listen where other machines could reach it. */
export class HttpNotLoopbackError extends RegistryError<'ERR_HTTP_NOT_LOOPBACK'> {
  constructor(listen: string) {
    super('ERR_HTTP_NOT_LOOPBACK', `The HTTP server must not listen on ${JSON.stringify(listen)}`, {
      hint: 'Listen on this machine only, for example --http 127.0.0.1:4873.',
      details: { listen }
    })
  }
}

/** Something else listens where the HTTP server was to. */
export class HttpPortInUseError extends RegistryError<'ERR_PORT_IN_USE'> {
  constructor(listen: string, cause: unknown) {
    super('ERR_PORT_IN_USE', `Another program already listens on ${listen}`, {
      hint: 'Stop that program, or take any free port: --http 127.0.0.1:0',
      details: { address: listen },
      cause
    })
  }
}

/** The HTTP server cannot listen, for a reason of the operating system's. */
export class HttpListenError extends RegistryError<'ERR_HTTP_LISTEN'> {
  constructor(listen: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super('ERR_HTTP_LISTEN', `The HTTP server cannot listen on ${JSON.stringify(listen)}: ${reason}`, {
      hint: 'Choose another address of this machine, for example --http 127.0.0.1:0.',
      details: { listen, reason },
      cause
    })
  }
}

/** The peer did not end in the time it has for that. What it had acknowledged is on disk. */
export class StopTimeoutError extends RegistryError<'ERR_STOP_TIMEOUT'> {
  constructor(timeoutMs: number) {
    super('ERR_STOP_TIMEOUT', `The peer did not stop within ${timeoutMs} ms and was ended`, {
      hint: 'Nothing that was acknowledged is lost; start it again.',
      details: { timeoutMs }
    })
  }
}

/** The command was given something it does not take. */
export class UsageError extends RegistryError<'ERR_USAGE'> {
  constructor(message: string, hint: string) {
    super('ERR_USAGE', message, { hint })
  }
}
