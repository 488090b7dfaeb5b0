/**
 * A server that plays the cells of the table of endings on real sockets, and tells what came of each.
 *
 * Argument: the port. `/cell/<number>` upgrades; `/state` says how far each is; `/drain` drains a second server, where
 * the cells of that ending are.
 */
import process from 'node:process'
import { ConnectionClosed, Sock } from 'fetch-sock'
import { type Server, serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import type { Connection } from '../../src/connection/connection.ts'
import { nodeClock } from '../../src/runtime/node-clock.ts'
import { arm } from './arm.ts'
import { ABORT_REASON, CELLS, type Cell, optionsOf } from './endings.ts'

/** What a cell has come to. */
interface Report {
  armed: boolean
  info: object | null
  /** What the pending promise did. */
  outcome: string
  /** Whether later calls fail with the same end. */
  late: string[]
  signal: boolean
  errors: number
}

const reports: Record<number, Report> = {}
const problems: string[] = []

/** Timers of connections that have neither fired nor been cleared. */
const timers = new Set<unknown>()
const { setTimeout: setTimer, clearTimeout: clearTimer } = nodeClock
Object.assign(nodeClock, {
  setTimeout<T>(callback: (subject: T) => void, delay: number, subject: T): unknown {
    const timer = setTimer(() => {
      timers.delete(timer)
      callback(subject)
    }, delay)
    timers.add(timer)
    return timer
  },
  clearTimeout(timer: unknown): void {
    timers.delete(timer)
    clearTimer(timer)
  },
})

/** Sockets that are open, of both servers. */
const sockets = new Set<object>()

function count(server: Server): Server {
  server.server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  return server
}

async function play(ws: Connection, cell: Cell, report: Report): Promise<void> {
  const abort = new AbortController()
  const { signal } = ws
  const armed = await arm(ws, cell.pending, abort.signal, () => new Promise((go) => setTimeout(go, 150)), 256 * 1024)
  void armed.promise?.then(
    (value) => {
      report.outcome = `resolved ${JSON.stringify(value)}`
    },
    (error) => {
      report.outcome = error instanceof ConnectionClosed ? `closed ${JSON.stringify(infoOf(error))}` : String(error)
    },
  )
  void ws.closed.then(async (info) => {
    report.signal = signal.aborted && signal.reason instanceof ConnectionClosed
    for (const call of [ws.receive(), ws.send('late'), ws.ping()]) {
      report.late.push(
        await call.then(
          () => 'resolved',
          (error) => JSON.stringify(infoOf(error)),
        ),
      )
    }
    report.info = info
  })
  report.armed = true
  switch (cell.ending.name) {
    case 'we close with 1000':
    case 'R29 the peer never answers our Close':
      void ws.close()
      break
    case 'we close with 4000':
      void ws.close(4000, 'ours')
      break
    case 'we terminate':
      ws.terminate()
      break
    case 'the signal of receive aborts':
      abort.abort(new Error(ABORT_REASON))
      break
    case 'R10 the handler throws':
      throw new Error('thrown')
  }
  await ws.closed
}

function infoOf({ code, reason, wasClean, initiator }: ConnectionClosed): object {
  return { code, reason, wasClean, initiator }
}

const app = new Hono()
const sock = new Sock(app)
CELLS.forEach((cell, number) => {
  const report: Report = { armed: false, info: null, outcome: 'pending', late: [], signal: false, errors: 0 }
  reports[number] = report
  const onError = (error: unknown): void => {
    report.errors++
    if (String(error) !== 'Error: thrown') problems.push(`${cell.title}: ${String(error)}`)
  }
  sock.route(`/cell/${number}`, { ...optionsOf(cell.ending), onError }, (ws) => play(ws, cell, report))
})
app.get('/state', (c) => {
  const open = main.connections + second.connections
  return c.json({
    reports,
    problems,
    timers: timers.size,
    sockets: sockets.size,
    connections: open,
    drainUrl: second.url,
  })
})
app.post('/drain', (c) => {
  void second.drain({ deadline: 5000 })
  return c.text('draining')
})

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => console.error('UNHANDLED', error))
}
process.on('SIGTERM', () => process.exit(0))

const main = count(await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2]) }))
const second = count(await serve(app, { hostname: '127.0.0.1', port: 0 }))
console.log(`ready ${main.url}`)
