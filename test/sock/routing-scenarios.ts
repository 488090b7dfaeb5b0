/** H1–H6, H11, H14, H15: where routes land, and what a handler holds. */
import { expect } from 'bun:test'
import { handshake, newRun, Peer, refusal } from './peer.ts'
import type { Scenario } from './scenarios.ts'

async function firstMessage(url: string): Promise<string> {
  const peer = await Peer.dial(url)
  const message = await peer.next()
  expect(await peer.closed).toBe('1000')
  return message
}

async function echoes(url: string): Promise<void> {
  const peer = await Peer.dial(url)
  expect(await peer.send('text').next()).toBe('text')
  expect(await peer.send(new Uint8Array([0, 255])).next()).toBe('bytes 00ff')
  expect(await peer.close()).toBe('1000')
}

export const ROUTING_SCENARIOS: readonly Scenario[] = [
  {
    name: 'H1 a route in the form of Hono, with middleware of its own and without any Sock',
    run: async (url) => expect(await firstMessage(`${url}/native/7`)).toBe('native 7'),
  },
  {
    name: 'H1 a route in the form of Hono takes the options of a Sock',
    async run(url) {
      const peer = await Peer.dial(`${url}/native-sock`, { subprotocols: ['v0', 'v1'] })
      expect(await peer.next()).toBe('v1')
    },
  },
  {
    name: 'H2 routes before and after the mount, two applications, base paths',
    async run(url) {
      expect(await firstMessage(`${url}/one/early/a`)).toBe('early a')
      expect(await firstMessage(`${url}/two/v2/early/b`)).toBe('early b')
      expect(await firstMessage(`${url}/one/after`)).toBe('after')
      expect(await firstMessage(`${url}/two/v2/after`)).toBe('after')
      expect((await refusal(`${url}/two/after`)).status).toBe(404)
    },
  },
  {
    name: 'H3 a handler serves several paths',
    async run(url) {
      await echoes(`${url}/echo`)
      await echoes(`${url}/echo-again`)
    },
  },
  {
    name: 'H4 routes of a sub-application, under its prefix, with the options of their group',
    async run(url) {
      const limited = await Peer.dial(`${url}/bp/acme/limited`, { subprotocols: ['group'] })
      expect(limited.socket.protocol).toBe('group')
      expect(await limited.send('12345678').next()).toBe('12345678')
      expect(await limited.send('123456789').closed).toStartWith('1009')
      const wider = await Peer.dial(`${url}/bp/acme/wider`, { subprotocols: ['group'] })
      expect(wider.socket.protocol).toBe('group')
      expect(await wider.send('123456789').next()).toBe('123456789')
      wider.terminate()
    },
  },
  {
    name: 'H11 the AsyncLocalStorage of middleware reaches the handler, before and after it has waited',
    async run(url) {
      const runs = [newRun(), newRun()]
      const peers = await Promise.all(runs.map((run) => Peer.dial(`${url}/traced?run=${run}`)))
      for (let round = 0; round < 2; round++) {
        for (const [i, peer] of peers.entries()) expect(await peer.send('x').next()).toBe(`trace of ${runs[i]}`)
      }
    },
  },
  {
    name: 'H5 H11 path parameters, variables, query and request for the whole connection',
    async run(url) {
      const peer = await Peer.dial(`${url}/context/blue/12?q=ask`, { headers: { 'X-Test': 'sent' } })
      const context = JSON.stringify(['blue', '12', 'ada', 'ask', 'sent', 'sent', true])
      for (let i = 0; i < 3; i++) expect(await peer.send('?').next()).toBe(context)
      await peer.close()
    },
  },
  { name: 'H6 a loop around receive', run: (url) => echoes(`${url}/echo`) },
  { name: 'H6 for await', run: (url) => echoes(`${url}/iterate`) },
  {
    name: 'H14 options for each connection, from the request',
    async run(url) {
      const small = await Peer.dial(`${url}/options?max=3`)
      const large = await Peer.dial(`${url}/options?max=5`)
      expect(await large.send('12345').next()).toBe('12345')
      expect(await small.send('12345').closed).toStartWith('1009')
      large.terminate()
      const chosen = await Peer.dial(`${url}/options-async?sub=x`, { subprotocols: ['y', 'x'] })
      expect(chosen.socket.protocol).toBe('x')
      chosen.terminate()
    },
  },
  {
    name: 'H14 an unknown option in what a function gives is an error of the application, 500',
    async run(url) {
      expect((await refusal(`${url}/options-broken`)).status).toBe(500)
    },
  },
  {
    name: 'H15 a plain GET on the path of a route alone gets 426 with Upgrade and Connection',
    async run(url) {
      const answer = await handshake(`${url}/alone`, { Upgrade: undefined, Connection: undefined })
      expect(answer.status).toBe(426)
      expect(answer.headers.get('upgrade')).toBe('websocket')
      expect(answer.headers.get('connection')?.toLowerCase()).toContain('upgrade')
      expect(answer.body).toContain('Upgrade')
    },
  },
  {
    name: 'H15 a GET handler behind the route answers a plain GET, and its 404 stands',
    async run(url) {
      const shared = await fetch(`${url}/shared`)
      expect([shared.status, await shared.text()]).toEqual([200, 'page'])
      const gone = await fetch(`${url}/shared-404`)
      expect([gone.status, await gone.text()]).toEqual([404, 'no such thing'])
      expect(await firstMessage(`${url}/shared`)).toBe('socket')
    },
  },
  {
    name: 'H15 middleware behind the route runs and changes nothing about the 426',
    async run(url) {
      const answer = await fetch(`${url}/behind`)
      expect(answer.status).toBe(426)
      expect(answer.headers.get('x-behind')).toBe('1')
      expect(await answer.text()).toContain('WebSocket')
      expect(await firstMessage(`${url}/behind`)).toBe('socket')
    },
  },
  {
    name: 'H15 another method that asks for no upgrade passes the route by',
    async run(url) {
      const posted = await fetch(`${url}/shared`, { method: 'POST', body: 'x' })
      expect([posted.status, await posted.text()]).toEqual([200, 'posted'])
      expect((await fetch(`${url}/alone`, { method: 'POST', body: 'x' })).status).toBe(404)
      expect((await fetch(`${url}/alone`, { method: 'OPTIONS' })).status).toBe(404)
    },
  },
  {
    name: 'R21 an upgrade to h2c is no WebSocket: the normal response',
    async run(url) {
      const answer = await handshake(`${url}/shared`, { Upgrade: 'h2c' })
      expect(answer.status).toBe(200)
      expect(answer.body).toContain('page')
    },
  },
]
