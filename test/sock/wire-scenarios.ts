/** R4, R5, R26, R27, R28: requests that no good client writes, and what comes back, through every floor. */
import { expect } from 'bun:test'
import { frame, KEY_HEADER, request, serverFrame, UPGRADE, WireClient } from '../runtime/wire-client.ts'
import type { Scenario } from './scenarios.ts'

function open(url: string): Promise<WireClient> {
  return WireClient.open({ port: Number(new URL(url).port) })
}

/** A request with a frame behind it, which a server that refuses must not echo. */
async function refused(url: string, text: string, status: number): Promise<string> {
  using client = await open(url)
  await client.send(text).response(status)
  // A server that waits for the rest of a body keeps the connection; what it was sent is in it already.
  client.socket.end()
  const all = await client.untilEnd()
  expect(all).not.toContain(serverFrame('abc'))
  return all
}

const WITHOUT_KEY = UPGRADE.filter((line) => line !== KEY_HEADER)

export const WIRE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'R4 subprotocols without a space between them are a list',
    async run(url) {
      using client = await open(url)
      client.send(request('/sub/list', [...UPGRADE, 'Sec-WebSocket-Protocol: x,a,b']))
      const { headers } = await client.response(101)
      expect(headers).toContain('sec-websocket-protocol: a')
      await client.until(serverFrame('protocol a'))
    },
  },
  {
    name: 'R5 Upgrade and Connection in other letters, as lists, in two lines',
    async run(url) {
      using client = await open(url)
      const odd = ['Connection: keep-alive', 'UPGRADE: WebSocket', 'connection: Upgrade', 'Sec-WebSocket-Version: 13']
      client.send(request('/echo', [...odd, KEY_HEADER]) + frame('odd'))
      await client.until(serverFrame('odd'))
      using firefox = await open(url)
      const both = ['Connection: keep-alive, Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
      firefox.send(request('/echo', [...both, KEY_HEADER]) + frame('both'))
      await firefox.until(serverFrame('both'))
    },
  },
  {
    name: 'R26 an upgrade with a body gets 400, and no byte of it is a frame',
    async run(url) {
      await refused(url, request('/echo', [...UPGRADE, 'Content-Length: 9']) + frame('abc'), 400)
      const chunk = `9\r\n${frame('abc')}\r\n0\r\n\r\n`
      await refused(url, request('/echo', [...UPGRADE, 'Transfer-Encoding: chunked']) + chunk, 400)
    },
  },
  {
    name: 'R27 two keys, a key that is not 16 bytes, an old version: refused, each with its status',
    async run(url) {
      await refused(url, request('/echo', [...UPGRADE, KEY_HEADER]) + frame('abc'), 400)
      await refused(url, request('/echo', [...WITHOUT_KEY, 'Sec-WebSocket-Key: c2hvcnQ=']) + frame('abc'), 400)
      const old = UPGRADE.map((line) => line.replace(': 13', ': 12'))
      expect((await refused(url, request('/echo', old) + frame('abc'), 426)).toLowerCase()).toContain(
        '\r\nsec-websocket-version: 13\r\n',
      )
    },
  },
  {
    name: 'R27 the 426 of an old version has Upgrade and Connection',
    async run(url) {
      const old = UPGRADE.map((line) => line.replace(': 13', ': 12'))
      const answer = (await refused(url, request('/echo', old), 426)).toLowerCase()
      expect(answer).toContain('\r\nupgrade: websocket\r\n')
      expect(answer).toMatch(/\r\nconnection: .*upgrade/)
    },
  },
  {
    name: 'R28 CR and LF in a header that the application sets are refused, never on the wire',
    async run(url) {
      expect(await refused(url, request('/inject', UPGRADE) + frame('abc'), 500)).not.toContain('evil')
    },
  },
]
