import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { addNodeOptions, type NodeOptions, readNodeOptions, runCommandLine } from '../src/index.ts'

async function read(...argv: string[]): Promise<NodeOptions> {
  const command = addNodeOptions(new Command('peer')).action(() => {})
  await runCommandLine(command, argv)
  return readNodeOptions(command)
}

describe('the options of a peer', () => {
  it('set nothing when none is given', async () => {
    expect(await read()).toEqual({ logLevel: 'info', json: false, flags: [] })
  })

  it.each([
    [['--listen', '/a', '--listen', '/b'], 'network.listenAddresses', '--listen', ['/a', '/b']],
    [['--announce', '/a'], 'network.announceAddresses', '--announce', ['/a']],
    [['--bootstrap', '/a'], 'bootstrap.nodes', '--bootstrap', ['/a']],
    [['--network', 'team'], 'network.name', '--network', 'team'],
    [['--http', '127.0.0.1:0'], 'http.listen', '--http', '127.0.0.1:0'],
    [['--catalogue', 'light'], 'catalogue.mode', '--catalogue', 'light'],
    [['--dht-server'], 'dht.server', '--dht-server', true],
    [['--no-dht-server'], 'dht.server', '--no-dht-server', false],
    [['--no-dht'], 'dht.enabled', '--no-dht', false],
    [['--no-mdns'], 'bootstrap.mdns', '--no-mdns', false],
    [['--set', 'network.minPeers=8'], 'network.minPeers', '--set', '8'],
    [['--set', 'gossipsub.topicPrefix=a=b'], 'gossipsub.topicPrefix', '--set', 'a=b']
  ])('%j is one setting', async (argv, path, flag, value) => {
    expect((await read(...argv)).flags).toEqual([{ path, flag, value }])
  })

  it('say where things are and how to speak', async () => {
    const argv = ['--data-dir', 'd', '--config', 'c', '--log-file', 'l', '--log-level', 'warn', '--json']
    expect(await read(...argv)).toEqual({
      dataDir: 'd',
      configFile: 'c',
      logFile: 'l',
      logLevel: 'warn',
      json: true,
      flags: []
    })
  })

  it.each([
    [['--set', 'nothing'], 'sets nothing'],
    [['--lissten', '/a'], "Unknown option '--lissten'"],
    [['--http'], 'argument missing'],
    [['--log-level', 'loud'], 'loud'],
    [['--catalogue', 'half'], 'half'],
    [['more'], 'Too many arguments']
  ])('%j is refused as misuse', async (argv, message) => {
    await expect(read(...argv)).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining(message),
      hint: expect.stringMatching(/\w/)
    })
  })
})
