/** Node 22 warns of its own SQLite in every process; whoever runs a peer can do nothing about it. Other warnings stay. */
export function hideSqliteWarning(): void {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && warning.message.startsWith('SQLite')) return
    for (const listener of listeners) listener(warning)
  })
}
