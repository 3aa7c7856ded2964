const QUIET_MS = 1000

/** How a call goes on, on one line of standard error that disappears with its end. */
export interface Progress {
  update(text: string): void
  end(): void
}

/** Shows nothing where standard error is no terminal, and nothing in the first second: most calls are over by then. */
export function showProgress(what: string): Progress {
  if (!process.stderr.isTTY) return { update: () => {}, end: () => {} }
  let text = ''
  let isVisible = false
  const draw = (): void => {
    process.stderr.write(`\r\x1b[K${what}${text === '' ? '…' : `: ${text}`}`)
  }
  const timer = setTimeout(() => {
    isVisible = true
    draw()
  }, QUIET_MS)
  return {
    update(next) {
      text = next
      if (isVisible) draw()
    },
    end() {
      clearTimeout(timer)
      if (isVisible) process.stderr.write('\r\x1b[K')
    }
  }
}
