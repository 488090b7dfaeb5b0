/** The clock of raw servers, on any runtime. */
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { nodeClock } from '../../src/runtime/node-clock.ts'
import { RAW_MODE } from '../../src/runtime/raw-mode.ts'

/** A promise that takes `hops` microtasks. */
async function microtasks(hops: number): Promise<void> {
  for (let hop = 0; hop < hops; hop++) await undefined
}

test('S18 afterTurn comes after every microtask of the turn, and before the next bytes', async () => {
  const log: string[] = []
  const server = createServer((socket) => {
    socket.on('data', () => {
      nodeClock.afterTurn(() => log.push('after'))
      void microtasks(50).then(() => {
        log.push('microtasks')
        nodeClock.afterTurn(() => log.push('after too'))
      })
      setImmediate(() => log.push('immediate'))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.write('x')
  while (!log.includes('immediate')) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.deepEqual(log, ['microtasks', 'after', 'after too', 'immediate'])
  client.destroy()
  server.close()
})

const skip = RAW_MODE === 'bun' ? 'bun test fails on an uncaught error, caught or not' : false
test('S18 what may come early comes after the microtasks of whoever asks from one, and before the next bytes', async () => {
  const log: string[] = []
  const server = createServer((socket) => {
    socket.on('data', () => {
      setImmediate(() => log.push('immediate'))
      void microtasks(1).then(() => {
        nodeClock.afterTurn(() => log.push('early'), true)
        void microtasks(50).then(() => log.push('microtasks'))
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.write('x')
  while (!log.includes('immediate')) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.deepEqual(log, ['microtasks', 'early', 'immediate'])
  client.destroy()
  server.close()
})

test('S18 afterTurn calls in order, and each in spite of an error of another', { skip }, async () => {
  const log: number[] = []
  const caught: unknown[] = []
  const onError = (error: unknown): void => void caught.push(error)
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', onError)
  nodeClock.afterTurn(() => log.push(1))
  nodeClock.afterTurn(() => {
    throw new Error('of the second')
  })
  nodeClock.afterTurn(() => log.push(3))
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('uncaughtException', onError)
  for (const listener of listeners) process.on('uncaughtException', listener)
  assert.deepEqual(log, [1, 3])
  assert.match(String(caught), /of the second/)
})

test('S18 setTimeout calls once after its delay; a cleared one never', async () => {
  const start = nodeClock.now()
  let calls = 0
  nodeClock.clearTimeout(nodeClock.setTimeout(() => calls++, 1))
  await new Promise<void>((resolve) => {
    nodeClock.setTimeout(resolve, 30)
    // The clock alone keeps nothing alive.
    setTimeout(() => {}, 200)
  })
  assert.equal(calls, 0)
  assert.ok(nodeClock.now() - start >= 29)
})

test('S18 setTimeout calls with its subject, whether it shares a timer of the runtime or not', async () => {
  const wait = (delay: number): Promise<string> =>
    new Promise((resolve) => {
      nodeClock.setTimeout((subject: string) => resolve(subject), delay, `after ${delay}`)
      setTimeout(() => {}, delay + 1000)
    })
  assert.deepEqual(await Promise.all([wait(1), wait(1000)]), ['after 1', 'after 1000'])
})
