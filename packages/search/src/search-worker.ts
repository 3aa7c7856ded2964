import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type Batch, type KeeperEvent, type KeeperStart, SegmentKeeper } from './segment-keeper.ts'

/** What the worker is told. */
export type WorkerRequest =
  | { kind: 'add'; batch: Batch }
  | { kind: 'clear' }
  /** Answered when all before it is stored, or could not be. */
  | { kind: 'flush'; id: number }

/** What the worker tells. */
export type WorkerEvent = KeeperEvent | { kind: 'flushed'; id: number; failure: string | undefined }

/** Documents that become a segment at a time. */
const MAX_BUILT_DOCUMENTS = 2048
/** Merging between two looks at what else there is to do. */
const MERGE_SLICE_MS = 4
const LONG_MERGE_SLICE_MS = 40

const port = parentPort
if (port !== null) {
  const tell = (event: WorkerEvent): void => port.postMessage(event)
  const start: KeeperStart = workerData
  const keeper = new SegmentKeeper(start, tell)
  const requests: WorkerRequest[] = []

  const receive = (): void => {
    for (let one = receiveMessageOnPort(port); one !== undefined; one = receiveMessageOnPort(port)) {
      requests.push(one.message)
    }
  }

  const store = (): string | undefined => {
    try {
      keeper.store()
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  const handle = (request: WorkerRequest): void => {
    if (request.kind === 'clear') keeper.clear()
    else if (request.kind === 'flush') tell({ kind: 'flushed', id: request.id, failure: store() })
    else {
      const batches = [request.batch]
      let documents = request.batch.documents.length
      for (
        let next = requests[0];
        next?.kind === 'add' && documents < MAX_BUILT_DOCUMENTS;
        next = requests[0]
      ) {
        batches.push(next.batch)
        documents += next.batch.documents.length
        requests.shift()
      }
      keeper.add(batches)
    }
  }

  /** Answers whether there is more to merge. */
  const merge = (sliceMs: number, isIdle: boolean): boolean => {
    const end = performance.now() + sliceMs
    while (performance.now() < end) if (!keeper.mergeStep(isIdle)) return false
    return true
  }

  /** Works until there is nothing to do. Not storing now is no fault: the next flush tells of it. */
  const work = (): void => {
    for (let isStuck = false; ; ) {
      receive()
      const request = requests.shift()
      if (request !== undefined) handle(request)
      if (keeper.mustStore && !isStuck) isStuck = store() !== undefined
      const isIdle = request === undefined
      const isMerging = merge(keeper.isBehind ? LONG_MERGE_SLICE_MS : MERGE_SLICE_MS, isIdle)
      if (isMerging || !isIdle) continue
      if (!keeper.wantsStoring || isStuck) return
      isStuck = store() !== undefined
    }
  }

  port.on('message', (request: WorkerRequest) => {
    requests.push(request)
    work()
  })
}
