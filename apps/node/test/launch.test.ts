import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planLaunch } from '../bin/launch.js'

describe('planLaunch', () => {
  it('runs in this process on the oldest supported Node and on any later one', () => {
    for (const version of ['22.0.0', '24.1.2', '100.0.0']) {
      expect(planLaunch({ version, folder: '/a', relaunched: false })).toEqual({ kind: 'run' })
    }
  })

  it('relaunches an older Node under the nearest node in node_modules', () => {
    const there = new Set(['/a/node_modules/.bin/node', '/a/b/node_modules/.bin/node'])
    const exists = (path: string) => there.has(path)
    expect(planLaunch({ version: '20.20.2', folder: '/a/b/c', relaunched: false, exists })).toEqual({
      kind: 'relaunch',
      node: '/a/b/node_modules/.bin/node'
    })
  })

  it('refuses with a hint where there is no other node', () => {
    const plan = planLaunch({ version: '20.20.2', folder: '/a/b', relaunched: false, exists: () => false })
    expect(plan).toMatchObject({
      kind: 'refuse',
      message: expect.stringMatching(/Node 22.*20\.20\.2.*Hint/s)
    })
  })

  it('does not relaunch twice, so that an old node in node_modules cannot loop', () => {
    const plan = planLaunch({ version: '20.20.2', folder: '/a', relaunched: true, exists: () => true })
    expect(plan.kind).toBe('refuse')
  })
})

describe('launch', () => {
  let folder: string
  const start = (code: string, ...args: string[]) =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', code, ...args], {
      cwd: folder,
      encoding: 'utf8'
    })
  const withOldNode = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } });`

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'registry-launch-'))
    await mkdir(join(folder, 'bin'))
    await copyFile(join(import.meta.dirname, '../bin/launch.js'), join(folder, 'bin/launch.mjs'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('runs the entry', async () => {
    await writeFile(join(folder, 'entry.mjs'), 'console.log("ran")')
    const ran = start(
      `import { launch } from './bin/launch.mjs'; await launch(new URL('file://${folder}/entry.mjs'))`
    )
    expect(ran).toMatchObject({ stdout: 'ran\n', stderr: '', status: 0 })
  })

  it('says what to do when the entry was not built', () => {
    const ran = start(
      `import { launch } from './bin/launch.mjs'; await launch(new URL('file://${folder}/none.mjs'))`
    )
    expect(ran).toMatchObject({ stdout: '', status: 1 })
    expect(ran.stderr).toContain('pnpm run build')
  })

  it('hands arguments to the newer node and takes over its exit code', async () => {
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
    await symlink(process.execPath, join(folder, 'node_modules/.bin/node'))
    await writeFile(join(folder, 'entry.mjs'), '')
    await writeFile(
      join(folder, 'bin.mjs'),
      `import { launch } from './bin/launch.mjs'
      if (process.env.REGISTRY_RELAUNCHED) { console.log(process.argv.slice(2).join()); process.exit(7) }
      ${withOldNode}
      await launch(new URL('./entry.mjs', import.meta.url))`
    )
    const ran = spawnSync(process.execPath, [join(folder, 'bin.mjs'), 'a', '--b'], { encoding: 'utf8' })
    expect(ran).toMatchObject({ stdout: 'a,--b\n', stderr: '', status: 7 })
  })

  it('leaves no newer node behind when it is killed outright', async () => {
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
    await symlink(process.execPath, join(folder, 'node_modules/.bin/node'))
    await writeFile(join(folder, 'entry.mjs'), 'console.log("up"); setInterval(() => {}, 1000)')
    await writeFile(
      join(folder, 'bin.mjs'),
      `import { launch } from './bin/launch.mjs'
      if (!process.env.REGISTRY_RELAUNCHED) { ${withOldNode} }
      await launch(new URL('./entry.mjs', import.meta.url))`
    )
    const launcher = spawn(process.execPath, ['bin.mjs'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit']
    })
    await once(launcher.stdout, 'data')
    launcher.kill('SIGKILL')
    // Both processes hold the pipe: it ends when the last of them has ended.
    await once(launcher.stdout, 'close')
    expect(launcher.signalCode).toBe('SIGKILL')
  })
})
