/** Pairs of sockets on loopback under `DuplexTransport`, for the transport contract and for measurements. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import {
  type AddressInfo,
  connect as connectNet,
  createServer as createNetServer,
  type Server,
  type Socket,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { DuplexTransport } from '../../src/runtime/duplex-transport.ts'
import { isPausable } from '../../src/runtime/raw-mode.ts'
import type { TransportPair } from '../contract/transport.contract.ts'
import { CERTIFICATE, KEY } from './certificate.ts'

const TLS = { cert: CERTIFICATE, key: KEY }

/** A socket that an HTTP server gave away, as `serve` gets it; the peer is of `node:net` or `node:tls`. */
export function upgradedPair(secure = false): Promise<TransportPair> {
  const server = secure ? createHttpsServer(TLS) : createHttpServer()
  return new Promise((resolve, reject) => {
    listen(server, { port: 0, host: '127.0.0.1' }, ({ port }) => {
      const at = { port, host: '127.0.0.1', allowHalfOpen: true, rejectUnauthorized: false }
      const peer = secure ? connectTls(at) : connectNet(at)
      peer.on('error', reject)
      peer.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      server.once('upgrade', (_, subject: Socket) => resolve(pairOf(server, subject, peer)))
    })
  })
}

/** Plain TCP, of `node:net` on both sides. */
export function tcpPair(): Promise<TransportPair> {
  const server = createNetServer({ allowHalfOpen: true })
  return new Promise((resolve, reject) => {
    listen(server, { port: 0, host: '127.0.0.1' }, ({ port }) => {
      const peer = connectNet({ port, host: '127.0.0.1', allowHalfOpen: true })
      peer.on('error', reject)
      server.once('connection', (subject: Socket) => resolve(pairOf(server, subject, peer)))
    })
  })
}

/** TLS over TCP. */
export function tlsPair(): Promise<TransportPair> {
  const server = createTlsServer({ ...TLS, allowHalfOpen: true })
  return new Promise((resolve, reject) => {
    listen(server, { port: 0, host: '127.0.0.1' }, ({ port }) => {
      const peer = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, allowHalfOpen: true } as object)
      peer.on('error', reject)
      server.once('secureConnection', (subject: Socket) => resolve(pairOf(server, subject, peer)))
    })
  })
}

/** A unix socket. */
export function unixPair(): Promise<TransportPair> {
  const folder = mkdtempSync(join(tmpdir(), 'fetch-sock-'))
  const path = join(folder, 'pair.sock')
  const server = createNetServer({ allowHalfOpen: true })
  return new Promise((resolve, reject) => {
    server.listen(path, () => {
      const peer = connectNet({ path, allowHalfOpen: true })
      peer.on('error', reject)
      server.once('connection', (subject: Socket) => {
        resolve(pairOf(server, subject, peer, () => rmSync(folder, { recursive: true, force: true })))
      })
    })
  })
}

function listen(server: Server, at: { port: number; host: string }, onListening: (address: AddressInfo) => void): void {
  server.listen(at, () => onListening(server.address() as AddressInfo))
}

function pairOf(server: Server, subject: Socket, peer: Socket, cleanUp: () => void = () => {}): TransportPair {
  return {
    subject: new DuplexTransport(subject, undefined, { pausable: isPausable(subject) }),
    peer: new DuplexTransport(peer, undefined, { pausable: isPausable(peer) }),
    reset: () => peer.resetAndDestroy(),
    dispose: async () => {
      await new Promise((resolve) => server.close(resolve))
      cleanUp()
    },
  }
}
