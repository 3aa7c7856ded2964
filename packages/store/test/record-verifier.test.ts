import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import { signAttestation, signRelease, signStatement } from '@registry/identity'
import {
  makeAttestation,
  makeRelease,
  makeStatement,
  manualClock,
  seededBytes,
  seededOwner
} from '@registry/testing'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { type RecordCheck, RecordVerifier } from '../src/record-verifier.ts'
import { flipped } from './folder-store.ts'

const IDLE_MS = 1000

function runningVerifier(verifyThreads = 1, clock = manualClock()): RecordVerifier {
  const verifier = new RecordVerifier({ verifyThreads, verifyThreadIdleMs: IDLE_MS }, clock)
  onTestFinished(() => verifier.stop())
  return verifier
}

/** The next thread that this process starts. */
async function nextThread(): Promise<Worker> {
  const [worker] = await once(process, 'worker')
  if (!(worker instanceof Worker)) throw new TypeError('no thread')
  return worker
}

/** Records of every kind, and bytes that are none. */
async function anyEnvelopes(): Promise<Uint8Array[]> {
  const [owner, other] = await Promise.all([seededOwner(0), seededOwner(1)])
  const sound = [
    owner.inception,
    await signRelease(makeRelease(), owner.signer),
    await signRelease(makeRelease(), other.signer),
    await signStatement(makeStatement(), owner.signer),
    await signAttestation(makeAttestation(), other.signer)
  ]
  const damaged = sound.flatMap((bytes) => [
    flipped(bytes),
    bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1),
    bytes.subarray(0, -1)
  ])
  return [...sound, ...damaged, new Uint8Array(0), seededBytes('no record', 70_000)]
}

function plain(check: RecordCheck | undefined): unknown {
  return check?.status === 'refused' ? check.error.toJSON() : check
}

it('says of each record in any batch what it says of it alone', async () => {
  const envelopes = await anyEnvelopes()
  const verifier = runningVerifier(2)
  const alone = await Promise.all(envelopes.map(async (bytes) => plain((await verifier.check([bytes]))[0])))
  expect(new Set(alone.map((check) => JSON.stringify(check))).size).toBeGreaterThan(8)

  const batches = fc.array(fc.array(fc.nat(envelopes.length - 1), { maxLength: 150 }), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(batches, async (asked) => {
      const answers = await Promise.all(
        asked.map((batch) => verifier.check(batch.map((index) => envelopes[index] ?? new Uint8Array(0))))
      )
      expect(answers.map((checks) => checks.map(plain))).toEqual(
        asked.map((batch) => batch.map((index) => alone[index]))
      )
    }),
    { numRuns: 20 }
  )
})

it('takes in more than it lets wait, and answers in order', async () => {
  const { inception } = await seededOwner(0)
  const foreign = await signRelease(makeRelease(), (await seededOwner(1)).signer)
  const batch = Array.from({ length: 3000 }, (_, index) => (index % 7 === 0 ? foreign : inception))
  const checks = await runningVerifier().check(batch)
  expect(
    checks.map((check) => (check.status === 'checked' ? check.checked.record.kind : check.status))
  ).toEqual(batch.map((bytes) => (bytes === foreign ? 'release' : 'owner')))
})

it('checks a few on the spot, without a thread', async () => {
  const { inception } = await seededOwner(0)
  const started: unknown[] = []
  const note = (worker: unknown): void => void started.push(worker)
  process.on('worker', note)
  onTestFinished(() => void process.off('worker', note))
  const verifier = runningVerifier()
  expect(await verifier.check([])).toEqual([])
  expect(await verifier.check(Array.from({ length: 7 }, () => inception))).toHaveLength(7)
  expect(started).toEqual([])
  expect(await verifier.check(Array.from({ length: 8 }, () => inception))).toHaveLength(8)
  expect(started).toHaveLength(1)
})

it('fails the records of a thread that ends, so that they may be tried again, and takes another', async () => {
  const { inception } = await seededOwner(0)
  const batch = Array.from({ length: 64 }, () => inception)
  const verifier = runningVerifier()
  const thread = nextThread()
  const checks = verifier.check(batch)
  await (await thread).terminate()
  for (const check of await checks) {
    expect(plain(check)).toMatchObject({ code: 'ERR_VERIFICATION_FAILED', retryable: true })
  }
  expect((await verifier.check(batch)).map(({ status }) => status)).toEqual(batch.map(() => 'checked'))
})

it('ends a thread that has had nothing to do for a while', async () => {
  const { inception } = await seededOwner(0)
  const batch = Array.from({ length: 8 }, () => inception)
  const clock = manualClock()
  const verifier = runningVerifier(1, clock)
  const thread = nextThread()
  await verifier.check(batch)
  const ended = once(await thread, 'exit')
  await clock.advance(IDLE_MS - 1)
  await verifier.check(batch)
  await clock.advance(IDLE_MS - 1)
  expect(clock.pending).toBe(1)
  await clock.advance(1)
  await ended
  expect(clock.pending).toBe(0)
  expect(await verifier.check(batch)).toHaveLength(8)
})

it('refuses what is under way when it is stopped, and leaves no thread and no timer', async () => {
  const { inception } = await seededOwner(0)
  const clock = manualClock()
  const verifier = runningVerifier(1, clock)
  const thread = nextThread()
  const checks = verifier.check(Array.from({ length: 5000 }, () => inception))
  const refused = expect(checks).rejects.toMatchObject({ code: 'ERR_NOT_RUNNING' })
  const ended = once(await thread, 'exit')
  await verifier.stop()
  await Promise.all([refused, ended])
  await verifier.check(Array.from({ length: 8 }, () => inception))
  await verifier.stop()
  await verifier.stop()
  expect(clock.pending).toBe(0)
})

it.runIf(process.platform === 'linux')('lets the event loop go before its threads', async () => {
  const priority = getPriority()
  const { inception } = await seededOwner(0)
  await runningVerifier().check(Array.from({ length: 8 }, () => inception))
  const priorities = readdirSync('/proc/self/task').map((thread) => {
    const [, fields = ''] = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1').split(') ')
    return Number(fields.split(' ')[16])
  })
  expect(priorities).toContain(priority + 5)
  expect(getPriority()).toBe(priority)
})
