import { expect, test } from 'bun:test'
import { join } from 'node:path'
import * as names from '../../src/index.ts'

test('H19 what an application needs has a name at the top', () => {
  expect(Object.keys(names).toSorted()).toEqual(
    [
      'CloseCode',
      'ConnectionClosed',
      'HandshakeError',
      'LocalProtocolError',
      'ProtocolError',
      'ReadyState',
      'Sock',
      'Topics',
      'WebSocketError',
      'acceptWebSocket',
      'jsonCodec',
      'upgrade',
    ].toSorted(),
  )
})

test("H17 nothing that a hosted runtime bundles needs a runtime's own modules", async () => {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, '../../src/index.ts')],
    target: 'browser',
    external: ['hono', 'hono/*', 'node:*'],
  })
  const code = (await built.outputs[0]?.text()) ?? ''
  const imports = [...code.matchAll(/^import .*? from "(.*?)"/gm)].map(([, from]) => from)
  expect(imports.length).toBeGreaterThan(0)
  expect(imports.filter((from) => from !== undefined && !from.startsWith('hono'))).toEqual([])
})
