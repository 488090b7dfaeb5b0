/** Loaded before a server that is profiled: profilers write when a process exits by itself, and a signal would kill it. */
import process from 'node:process'

process.on('SIGTERM', () => process.exit(0))
