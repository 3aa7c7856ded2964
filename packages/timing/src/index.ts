/**
 * @packageDocumentation
 *
 * The clock of this machine, and waiting that ends: with a deadline, a pause or an abort. What takes a `Clock` can be
 * tested without waiting.
 */

export { itemsUntilAborted, untilAborted } from './abortable.ts'
export { type Deadline, deadline, withDeadline } from './deadline.ts'
export { pause } from './pause.ts'
export { systemClock } from './system-clock.ts'
