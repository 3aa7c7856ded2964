import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planLaunch } from '../bin/launch.js'

describe('planLaunch', () => {
  it('runs in this process on the oldest supported Node and on any later one', () => {
    for (const version of ['22.13.0', '24.1.2', '100.0.0']) {
      expect(planLaunch({ version, folder: '/a', relaunched: false })).toEqual({ kind: 'run' })
    }
  })

  it('does not run on one that lacks what is needed', () => {
    for (const version of ['22.12.0', '21.20.0', '18.0.0']) {
      expect(planLaunch({ version, folder: '/a', relaunched: false, exists: () => false })).toEqual({
        kind: 'fetch'
      })
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

  it('has npm fetch a newer one where there is no other node', () => {
    const plan = planLaunch({ version: '20.20.2', folder: '/a/b', relaunched: false, exists: () => false })
    expect(plan).toEqual({ kind: 'fetch' })
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

  it('runs under what npm fetched, and asks npm once only', async () => {
    await writeFile(join(folder, 'npx'), `#!/bin/sh\necho asked >> asked\necho ${process.execPath}\n`, {
      mode: 0o755
    })
    await writeFile(join(folder, 'entry.mjs'), 'console.log("ran")')
    await writeFile(
      join(folder, 'bin.mjs'),
      `import { launch } from './bin/launch.mjs'
      if (!process.env.REGISTRY_RELAUNCHED) { ${withOldNode} }
      await launch(new URL('./entry.mjs', import.meta.url))`
    )
    const env = { PATH: `${folder}:/usr/bin:/bin`, XDG_CACHE_HOME: join(folder, 'cache') }
    for (const said of [/too old; fetching/, /^$/]) {
      const ran = spawnSync(process.execPath, ['bin.mjs'], { cwd: folder, encoding: 'utf8', env })
      expect(ran).toMatchObject({ stdout: 'ran\n', stderr: expect.stringMatching(said), status: 0 })
    }
    expect(await readFile(join(folder, 'asked'), 'utf8')).toBe('asked\n')
  })

  it('refuses with a hint where npm cannot fetch one', async () => {
    await writeFile(join(folder, 'npx'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    await writeFile(
      join(folder, 'bin.mjs'),
      `import { launch } from './bin/launch.mjs'
      ${withOldNode}
      await launch(new URL('./entry.mjs', import.meta.url))`
    )
    const env = { PATH: `${folder}:/usr/bin:/bin`, XDG_CACHE_HOME: join(folder, 'cache') }
    const ran = spawnSync(process.execPath, ['bin.mjs'], { cwd: folder, encoding: 'utf8', env })
    expect(ran).toMatchObject({ status: 1, stderr: expect.stringMatching(/Node 22.*20\.0\.0.*Hint/s) })
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
    // Both processes hold the pipe: `close` comes when the launcher has ended and the last of them has let go of it.
    await once(launcher, 'close')
    expect(launcher.signalCode).toBe('SIGKILL')
  })
})
