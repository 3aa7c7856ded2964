import type { Command } from 'commander'
import { print, printJson } from '../output.ts'
import { ownerOf } from '../owner-text.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

export function followVerb(): Command {
  const command = verb('follow <owner>', {
    summary: "Let an owner's word count on this peer: names he curates, and what he warns of.",
    details: 'npm audit shows what he warns of, and a name that several have is whose he says it is.',
    example: 'registry follow bafyreic2fkc4r2uhw6udsoqj5klptv5qtl2m5762nl7aotofupchy74ofm'
  })
  return does<[string], CommonOptions>(command, async (options, signal, text) => {
    const owner = ownerOf(text)
    const client = await connectToPeer(options, { signal })
    const isNew = await client.follow(owner, { signal })
    if (options.json) printJson({ owner, isNew })
    else print(isNew ? `Following @${owner}` : `@${owner} was followed already`)
  })
}

export function unfollowVerb(): Command {
  const command = verb('unfollow <owner>', {
    summary: "Let an owner's word count no longer.",
    example: 'registry unfollow bafyreic2fkc4r2uhw6udsoqj5klptv5qtl2m5762nl7aotofupchy74ofm'
  })
  return does<[string], CommonOptions>(command, async (options, signal, text) => {
    const owner = ownerOf(text)
    const client = await connectToPeer(options, { signal })
    const wasFollowed = await client.unfollow(owner, { signal })
    if (options.json) printJson({ owner, wasFollowed })
    else print(wasFollowed ? `No longer following @${owner}` : `@${owner} was not followed`)
  })
}

export function followingVerb(): Command {
  const command = verb('following', {
    summary: 'List the owners whose word counts on this peer.',
    example: 'registry following'
  })
  return does(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    const owners = await client.following({ signal })
    if (options.json) printJson({ owners })
    else print(...(owners.length === 0 ? ['Nobody is followed.'] : owners.map((owner) => `@${owner}`)))
  })
}
