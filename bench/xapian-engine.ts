import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { stopProcess } from './child.ts'
import { type Answer, EngineMissingError, fieldsOf, type SearchEngine } from './search-engines.ts'

interface Reply {
  packages?: number[]
  elapsedMs: number
  residentBytes: number
}

/**
 * Xapian, by Debian's `python3-xapian`, in a process of Python that times each search and each change itself: what the pipe
 * and JSON cost is not counted.
 *
 * @throws {EngineMissingError} there is no such Python, or it has no Xapian
 */
export async function xapian(folder: string): Promise<SearchEngine> {
  // The system's own, which is where Debian's packages are found.
  const python = spawn('/usr/bin/python3', [`${import.meta.dirname}/xapian-engine.py`, folder], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const started = await Promise.race([
    once(python, 'spawn').then(() => true),
    once(python, 'error').then(() => false)
  ])
  if (!started) throw new EngineMissingError('there is no /usr/bin/python3')
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
  const reply = async (): Promise<Reply> => {
    const { value, done } = await lines.next()
    if (done === true) throw new EngineMissingError('python3-xapian is not installed, or has failed')
    return JSON.parse(value) as Reply
  }
  const ask = async (command: unknown): Promise<Reply> => {
    python.stdin.write(`${JSON.stringify(command)}\n`)
    const answer = await reply()
    residentBytes = Math.max(0, answer.residentBytes - empty.residentBytes)
    return answer
  }
  // It says that it has found Xapian, and how large Python is by itself.
  const empty = await reply()
  let elapsedMs = 0
  let residentBytes = 0
  const change = async (command: unknown): Promise<void> => {
    elapsedMs += (await ask(command)).elapsedMs
  }
  return {
    put: (documents) =>
      change({ put: documents.map((one) => ({ ...fieldsOf(one), dependents: one.dependents })) }),
    flushed: () => change({ flush: true }),
    search: async (text, limit, features): Promise<Answer> => {
      const answer = await ask({ search: text, limit, ...features })
      return { packages: answer.packages ?? [], elapsedMs: answer.elapsedMs }
    },
    elsewhere: () => ({ residentBytes, elapsedMs }),
    close: () => stopProcess(python)
  }
}
