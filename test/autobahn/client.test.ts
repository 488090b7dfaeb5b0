/** The driver against a fuzzing server of three cases, which speaks as Autobahn's does. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { type WebSocket, WebSocketServer } from '../../node_modules/ws/wrapper.mjs'
import { RUNTIMES } from '../subject/runtime.ts'

const LIMIT = 30_000

type Case = (socket: WebSocket, tell: (outcome: string) => void) => void

const CASES: readonly Case[] = [
  // Echo, then an orderly end.
  (socket, tell) => {
    socket.on('message', (data, isBinary) => {
      tell(`${isBinary ? 'binary' : 'text'} ${String(data)}`)
      if (isBinary) socket.close(1000)
      else socket.send(Buffer.from('b'))
    })
    socket.send('t')
  },
  // A compressed message in fragments.
  (socket, tell) => {
    socket.on('message', (data) => {
      tell(`${socket.extensions} ${String(data).length}`)
      socket.close(1000)
    })
    socket.send('x'.repeat(100_000), { fin: false, compress: true })
    socket.send('y'.repeat(100_000), { fin: true, compress: true })
  },
  // Text that is not UTF-8: the client must fail the connection.
  (socket) => {
    const { _socket: wire } = socket as unknown as { _socket: Socket }
    wire.write(Uint8Array.of(0x81, 0x01, 0xff))
  },
]

describe('autobahn driver', () => {
  let server: WebSocketServer
  let asked: string[] = []
  let outcomes: string[] = []

  beforeAll(async () => {
    server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } })
    await new Promise((resolve) => server.once('listening', resolve))
    server.on('connection', (socket, request) => {
      asked.push(request.url ?? '')
      const url = new URL(request.url ?? '', 'ws://fuzzer')
      const number = url.searchParams.get('case')
      socket.on('close', (code) => outcomes.push(`${url.pathname} ${number ?? ''} ended ${code}`))
      if (url.pathname === '/getCaseCount') {
        socket.send(`${CASES.length}`)
        socket.close(1000)
      } else if (url.pathname === '/runCase') {
        CASES[Number(number) - 1]?.(socket, (outcome) => outcomes.push(`case ${number}: ${outcome}`))
      } else {
        socket.close(1000)
      }
    })
  })
  afterAll(() => {
    server.close()
  })

  test.each([...RUNTIMES])(
    'P23 %s: counts, runs every case, and asks for the report',
    async (runtime) => {
      asked = []
      outcomes = []
      const { port } = server.address() as AddressInfo
      const argv = [process.execPath, join(import.meta.dir, 'client.ts'), `ws://127.0.0.1:${port}`, `us on ${runtime}`]
      const child = Bun.spawn([...argv, runtime], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
      const [output, errors] = await Promise.all([child.stdout, child.stderr].map((s) => new Response(s).text()))
      expect(errors).toBe('')
      expect(await child.exited).toBe(0)
      expect(output).toBe(`3 cases run as us on ${runtime}\n`)
      const agent = encodeURIComponent(`us on ${runtime}`)
      expect(asked).toEqual([
        '/getCaseCount',
        ...[1, 2, 3].map((number) => `/runCase?case=${number}&agent=${agent}`),
        `/updateReports?agent=${agent}`,
      ])
      // Whether the end of one case is seen before the start of the next is the server's affair.
      expect(outcomes.toSorted()).toEqual([
        '/getCaseCount  ended 1000',
        '/runCase 1 ended 1000',
        '/runCase 2 ended 1000',
        '/runCase 3 ended 1007',
        '/updateReports  ended 1000',
        'case 1: binary b',
        'case 1: text t',
        'case 2: permessage-deflate 200000',
      ])
    },
    LIMIT,
  )
})
