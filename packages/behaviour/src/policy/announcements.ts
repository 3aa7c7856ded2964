import type { OutboxEntry } from '@registry/types'
import { backOffMs } from './back-off.ts'

export interface AnnouncementsInit {
  /** Whether there is a DHT to provide in; without one that part counts as done. */
  provide: boolean
  /** DHT announcements at once. */
  maxProviding: number
  firstRetryMs: number
  maxRetryMs: number
}

export type AnnouncementInput =
  /**
   * Entries to take up, whether their time has come or not. Those under way are left alone; but with `news`, such as
   * somebody new to tell, a part of them that then fails is done once more at once.
   */
  | { type: 'taken'; entries: readonly OutboxEntry[]; news: boolean }
  /** A push is over; `done` when a peer answered that it has the record. */
  | { type: 'pushed'; sequence: number; done: boolean }
  | { type: 'provided'; sequence: number; done: boolean }

export interface AnnouncementEffect {
  push: OutboxEntry[]
  provide: OutboxEntry[]
  /** Write down in the outbox. */
  record: Array<{ sequence: number; pushed: boolean; provided: boolean; nextAttemptMs: number }>
}

/**
 * Which part of which announcement to do now, and when to try again: each part until it is done, however often. What brings
 * no content is provided by that.
 */
export interface Announcements {
  handle(input: AnnouncementInput, nowMs: number): AnnouncementEffect
  /** Entries of which a part is under way. */
  readonly pending: number
}

type Part = 'todo' | 'queued' | 'running' | 'done'

interface Announcement {
  entry: OutboxEntry
  push: Part
  provide: Part
  /** Parts to do once more should they fail. */
  again: Set<'push' | 'provide'>
}

export function announcements(init: AnnouncementsInit): Announcements {
  const underWay = new Map<number, Announcement>()
  const queue: Announcement[] = []
  let providing = 0

  const settle = (announcement: Announcement, nowMs: number, effect: AnnouncementEffect): void => {
    const { entry, push, provide } = announcement
    const attempts = entry.attempts + 1
    const record = {
      sequence: entry.sequence,
      pushed: push === 'done',
      provided: provide === 'done',
      nextAttemptMs: nowMs + backOffMs(attempts, init.firstRetryMs, init.maxRetryMs)
    }
    announcement.entry = { ...entry, attempts, pushed: record.pushed, provided: record.provided }
    effect.record.push(record)
    if (!isOpen(announcement)) underWay.delete(entry.sequence)
  }

  const begin = (announcement: Announcement, effect: AnnouncementEffect): void => {
    if (announcement.push === 'todo') {
      announcement.push = 'running'
      effect.push.push(announcement.entry)
    }
    if (announcement.provide === 'todo') {
      announcement.provide = 'queued'
      queue.push(announcement)
    }
  }

  const take = (entry: OutboxEntry, news: boolean, nowMs: number, effect: AnnouncementEffect): void => {
    const announcement: Announcement = underWay.get(entry.sequence) ?? {
      entry,
      push: entry.pushed ? 'done' : 'todo',
      provide: entry.provided || entry.content === undefined || !init.provide ? 'done' : 'todo',
      again: new Set()
    }
    underWay.set(entry.sequence, announcement)
    for (const part of ['push', 'provide'] as const) {
      if (news && announcement[part] === 'running') announcement.again.add(part)
    }
    begin(announcement, effect)
    if (!isOpen(announcement)) settle(announcement, nowMs, effect)
  }

  const end = (
    announcement: Announcement,
    part: 'push' | 'provide',
    done: boolean,
    nowMs: number,
    effect: AnnouncementEffect
  ): void => {
    announcement[part] = done ? 'done' : 'todo'
    if (announcement.again.delete(part) && !done) begin(announcement, effect)
    // A failed part is written down with the last one; what was done, at once.
    if (done || !isOpen(announcement)) settle(announcement, nowMs, effect)
  }

  const provideNext = (effect: AnnouncementEffect): void => {
    while (providing < init.maxProviding) {
      const announcement = queue.shift()
      if (announcement === undefined) return
      announcement.provide = 'running'
      providing++
      effect.provide.push(announcement.entry)
    }
  }

  return {
    get pending() {
      return underWay.size
    },
    handle(input, nowMs) {
      const effect: AnnouncementEffect = { push: [], provide: [], record: [] }
      if (input.type === 'taken') {
        for (const entry of input.entries) take(entry, input.news, nowMs, effect)
      } else {
        const announcement = underWay.get(input.sequence)
        if (input.type === 'provided') providing--
        const part = input.type === 'pushed' ? 'push' : 'provide'
        if (announcement !== undefined) end(announcement, part, input.done, nowMs, effect)
      }
      provideNext(effect)
      return effect
    }
  }
}

function isOpen({ push, provide }: Announcement): boolean {
  return [push, provide].some((part) => part === 'queued' || part === 'running')
}
