import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '@registry/testing'
import { describe, expect, it } from 'vitest'
import { LOG_LEVELS, lineLogger, openLogFile } from '../src/line-logger.ts'

describe('the logger', () => {
  it('writes a line with time, level, part, message and quoted fields', () => {
    const lines: string[] = []
    const logger = lineLogger({ level: 'debug' })({ clock: manualClock(), write: (line) => lines.push(line) })
    logger.info('registry:discovery:mdns', 'a peer was found', { said: 'bad\nnews' })
    logger.debug('registry:store', 'opened')
    expect(lines).toEqual([
      '2026-01-01T00:00:00.000Z info registry:discovery:mdns a peer was found {"said":"bad\\nnews"}\n',
      '2026-01-01T00:00:00.000Z debug registry:store opened\n'
    ])
  })

  it('leaves out what is below its level', () => {
    const written = LOG_LEVELS.map((level) => {
      const lines: string[] = []
      const logger = lineLogger({ level })({ clock: manualClock(), write: (line) => lines.push(line) })
      for (const say of [logger.debug, logger.info, logger.warn]) say('part', 'message')
      return lines.length
    })
    expect(written).toEqual([3, 2, 1, 0])
  })
})

describe('the log file', () => {
  it('is one of two that are kept within their bound, for the user only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'registry-log-'))
    const path = join(folder, 'peer.log')
    const first = openLogFile(path, { maxBytes: 20 })
    for (let line = 0; line < 5; line++) first.write(`line number ${line}\n`)
    first.close()
    const again = openLogFile(path, { maxBytes: 20 })
    again.write('after a restart\n')
    again.close()
    expect((await readdir(folder)).sort()).toEqual(['peer.log', 'peer.log.1'])
    expect(await readFile(`${path}.1`, 'utf8')).toBe('line number 2\nline number 3\n')
    expect(await readFile(path, 'utf8')).toBe('line number 4\nafter a restart\n')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await rm(folder, { recursive: true })
  })
})
