/** The chat's server: its messages, its limits, its page. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { ROOT } from '../subject/runtime.ts'
import { type Started, startServer } from '../subject/start.ts'
import { ChatClient, messageId } from './chat-client.ts'

let server: Started
let room = 0

beforeAll(async () => {
  server = await startServer('bun', join(ROOT, 'examples', 'chat.ts'), { env: { PORT: '0' } })
})
afterAll(async () => {
  await server.stop()
})

/** People who have joined a room of their own, one after the other. */
async function gather(...names: string[]): Promise<ChatClient[]> {
  room += 1
  const clients: ChatClient[] = []
  for (const name of names) {
    const client = await ChatClient.join(server.wsUrl, `room-${room}`, name)
    await client.next('welcome')
    for (const earlier of clients) await earlier.next('joined')
    clients.push(client)
  }
  return clients
}

async function pair(): Promise<[ChatClient, ChatClient]> {
  const [ada, grace] = await gather('Ada', 'Grace')
  if (ada === undefined || grace === undefined) throw new Error('Nobody came')
  return [ada, grace]
}

test('H20 chat tells who comes, talks, types and goes', async () => {
  const [ada, grace] = await pair()
  grace.send({ type: 'typing', on: true })
  expect(await ada.next('typing')).toEqual({ type: 'typing', name: 'Grace', on: true })
  const id = messageId()
  grace.send({ type: 'say', id, text: '  Good morning\n' })
  const said = await ada.next('said')
  expect(said).toEqual({ type: 'said', id, name: 'Grace', text: 'Good morning', at: said.at })
  expect(Math.abs(Date.now() - Number(said.at))).toBeLessThan(5000)
  expect(await grace.next('said')).toEqual(said)
  expect(grace.types).toEqual(['welcome', 'said'])
  await grace.leave()
  expect(await ada.next('left')).toEqual({ type: 'left', name: 'Grace' })
  await ada.leave()
})

test('H20 chat keeps rooms apart, also by letters that are not ASCII', async () => {
  const ada = await ChatClient.join(server.wsUrl, 'café', 'Ada')
  const grace = await ChatClient.join(server.wsUrl, 'cafe', 'Grace')
  await ada.next('welcome')
  expect(await grace.next('welcome')).toMatchObject({ people: ['Grace'], history: [] })
  grace.say('Only here')
  await grace.next('said')
  ada.say('Only there')
  expect(await ada.next('said')).toMatchObject({ text: 'Only there' })
  expect(ada.unread).toEqual([])
  await Promise.all([ada.leave(), grace.leave()])
})

test('H20 chat gives the last 50 messages to a newcomer', async () => {
  const speakers = await gather('Ada', 'Grace', 'Edith')
  const texts = Array.from({ length: 54 }, (_, index) => `message ${index}`)
  // Each says 18: no more than a speaker may say at once.
  for (const [index, text] of texts.entries()) {
    const speaker = speakers[index % speakers.length]
    speaker?.say(text)
    await speaker?.hear(text)
  }
  const late = await ChatClient.join(server.wsUrl, `room-${room}`, 'Linus')
  const { history } = (await late.next('welcome')) as unknown as { history: { text: string }[] }
  expect(history.map(({ text }) => text)).toEqual(texts.slice(-50))
  await Promise.all([late, ...speakers].map((client) => client.leave()))
})

test('H20 chat numbers a name that is taken, and frees it', async () => {
  const [ada] = await gather('Ada')
  const second = await ChatClient.join(server.wsUrl, `room-${room}`, ' ada ')
  expect(await second.next('welcome')).toMatchObject({ name: 'ada 2', people: ['Ada', 'ada 2'] })
  await ada?.leave()
  expect(await second.next('left')).toMatchObject({ name: 'Ada' })
  const third = await ChatClient.join(server.wsUrl, `room-${room}`, 'Ada')
  expect(await third.next('welcome')).toMatchObject({ name: 'Ada' })
  await Promise.all([second.leave(), third.leave()])
})

test('H20 chat takes a message once, however often a page sends it', async () => {
  const [ada, grace] = await pair()
  const once = { type: 'say', id: messageId(), text: 'Once' }
  ada.send(once)
  ada.send(once)
  ada.say('After')
  expect(await grace.next('said')).toMatchObject({ text: 'Once' })
  expect(grace.unread.filter(({ text }) => text === 'Once')).toEqual([])
  expect(await grace.next('said')).toMatchObject({ text: 'After' })
  await Promise.all([ada.leave(), grace.leave()])
})

const say = { type: 'say', id: messageId(), text: 'x' }
test.each([
  ['not JSON', '{', 'message'],
  ['binary', new Uint8Array([1]), 'message'],
  ['a list', '[]', 'message'],
  ['an unknown type', { type: 'shout' }, 'type'],
  ['a second join', { type: 'join', name: 'Eve' }, 'type'],
  ['an empty text', { ...say, text: ' \n ' }, 'text'],
  ['a text of 2,001 characters', { ...say, text: 'x'.repeat(2001) }, 'text'],
  ['a text that is a number', { ...say, text: 1 }, 'text'],
  ['an id that is none', { ...say, id: '../..' }, 'id'],
  ['typing that is neither on nor off', { type: 'typing', on: 'yes' }, 'on'],
])('H20 chat answers %s with an error that names the field, and goes on', async (_, message, field) => {
  const [ada, grace] = await pair()
  ada.send(message)
  const error = await ada.next('error')
  expect(error.field).toBe(field)
  expect(String(error.message).length).toBeGreaterThan(5)
  ada.send({ ...say, id: messageId(), text: 'x'.repeat(2000) })
  expect(await grace.next('said')).toMatchObject({ name: 'Ada', text: 'x'.repeat(2000) })
  await Promise.all([ada.leave(), grace.leave()])
})

test.each([
  ['empty', ''],
  ['of 25 characters', 'x'.repeat(25)],
  ['with a line break', 'Ada\nGrace'],
])('H20 chat refuses a name that is %s, then takes a better one', async (_, name) => {
  const ada = await ChatClient.join(server.wsUrl, 'names', name)
  expect(await ada.next('error')).toMatchObject({ field: 'name' })
  ada.send(say)
  expect(await ada.next('error')).toEqual({ type: 'error', field: 'type', message: 'join first' })
  ada.send({ type: 'join', name: 'x'.repeat(24) })
  expect(await ada.next('welcome')).toMatchObject({ name: 'x'.repeat(24), people: ['x'.repeat(24)] })
  await ada.leave()
})

test('H20 chat refuses a room with a bad name by HTTP, before the upgrade', async () => {
  for (const name of ['x'.repeat(33), 'a b', 'a.b', '%F0%9F%A7%A6']) {
    const response = await fetch(`${server.url}/chat/${name}`)
    expect(response.status).toBe(400)
    expect(await response.text()).toStartWith('room: ')
  }
})

test('H20 chat closes one who sends too much at once with 1009, and only that one', async () => {
  const [ada, grace] = await pair()
  ada.send('x'.repeat(16_385))
  expect(await ada.closed).toBe(1009)
  expect(await grace.next('left')).toMatchObject({ name: 'Ada' })
  grace.say('Still here')
  expect(await grace.next('said')).toMatchObject({ text: 'Still here' })
  await grace.leave()
})

test('H20 chat: a flood slows down its sender and nobody else', async () => {
  const [flood, grace] = await pair()
  const start = performance.now()
  for (let count = 0; count < 3000; count++) flood.say(`flood ${count}`)
  expect(await grace.next('said')).toMatchObject({ text: 'flood 0' })
  for (const text of ['one', 'two', 'three']) {
    const asked = performance.now()
    grace.say(text)
    await grace.hear(text)
    expect(performance.now() - asked).toBeLessThan(3000)
  }
  const seconds = (performance.now() - start) / 1000
  const late = await ChatClient.join(server.wsUrl, `room-${room}`, 'Linus')
  const { history } = (await late.next('welcome')) as unknown as { history: { name: string }[] }
  expect(history.filter(({ name }) => name === 'Ada').length).toBeLessThanOrEqual(20 + 5 * seconds + 5)
  await Promise.all([grace.leave(), late.leave()])
})

test('H20 chat serves one page that runs its own script and nothing else', async () => {
  const response = await fetch(server.url)
  const html = await response.text()
  const policy = response.headers.get('content-security-policy') ?? ''
  for (const tag of ['script', 'style']) {
    const body = html.split(`<${tag}>`)[1]?.split(`</${tag}>`)[0] ?? ''
    expect(body.length).toBeGreaterThan(1000)
    expect(policy).toContain(`${tag}-src 'sha256-${createHash('sha256').update(body).digest('base64')}'`)
  }
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
  expect(html).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|\beval\b/)
  expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\//)
})
