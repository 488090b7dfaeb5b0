/** The chat in Chromium, by its page alone. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { ChatPage } from './chat-page.ts'
import { BUN, CHAT_SERVERS, type ChatServer, type RunningChat } from './chat-servers.ts'
import { executablePath, launch } from './chromium.ts'

setDefaultTimeout(60_000)

let browser: Browser
let server: RunningChat
let room = ''
const open: ChatPage[] = []

/** A window on the door of this test's room. */
async function visit(options: BrowserContextOptions = {}): Promise<ChatPage> {
  const chat = await ChatPage.open(browser, server.url, room, options)
  open.push(chat)
  return chat
}

async function pair(name: string): Promise<[ChatPage, ChatPage]> {
  room = name
  const ada = await (await visit()).join('Ada')
  const grace = await (await visit()).join('Grace')
  await ada.sees('.notice', 'Grace joined')
  return [ada, grace]
}

/** Runs the chat for the tests of a block. */
function useChat(start: ChatServer['start']): void {
  beforeAll(async () => {
    server = await start(0)
  })
  afterAll(async () => {
    await server.stop()
  })
}

describe.skipIf(executablePath === null)('the chat in Chromium', () => {
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(async () => {
    await browser.close()
  })
  afterEach(async () => {
    const errors = open.flatMap((chat) => chat.errors)
    await Promise.all(open.splice(0).map((chat) => chat.close()))
    expect(errors).toEqual([])
  })

  describe.each(CHAT_SERVERS)('on $name', ({ name, start }) => {
    useChat(start)

    test(`H20 two pages join a room, talk, see each other type, and one leaves, on ${name}`, async () => {
      const [ada, grace] = await pair('talk')
      expect(await ada.people()).toEqual(['Ada', 'Grace'])
      expect(await grace.people()).toEqual(['Grace', 'Ada'])

      await ada.say('Hello Grace')
      await grace.hears('Hello Grace')
      await grace.page.locator('#text').pressSequentially('Hello A')
      await ada.sees('#typing', 'Grace is typing')
      expect(await grace.page.textContent('#typing')).toBe('')
      await grace.page.locator('#text').pressSequentially('da')
      await grace.page.press('#text', 'Enter')
      await ada.hears('Hello Ada')
      expect(await ada.page.textContent('#typing')).toBe('')
      await ada.hears('Hello Grace')
      expect(await ada.messages()).toEqual(['Hello Grace', 'Hello Ada'])
      expect(await grace.messages()).toEqual(['Hello Grace', 'Hello Ada'])

      await grace.page.click('#leave')
      await ada.sees('.notice', 'Grace left')
      expect(await ada.people()).toEqual(['Ada'])
      expect(await grace.page.isVisible('#door')).toBe(true)
    })

    test(`H20 a closed window leaves the room, on ${name}`, async () => {
      const [ada, grace] = await pair('window')
      await grace.page.context().close()
      await ada.sees('.notice', 'Grace left')
    })

    test(`H20 a newcomer sees what was said, and a reload stays in the room, on ${name}`, async () => {
      const [ada, grace] = await pair('history')
      await ada.say('Before you came')
      await grace.hears('Before you came')
      const linus = await (await visit()).join('Linus')
      await linus.hears('Before you came')
      await linus.page.reload()
      await linus.connected()
      await linus.hears('Before you came')
      expect(await linus.messages()).toEqual(['Before you came'])
      expect(await linus.people()).toEqual(['Linus', 'Ada', 'Grace'])
    })

    test(`H20 the server restarts: both come back, and what was sent meanwhile arrives once, on ${name}`, async () => {
      const [ada, grace] = await pair('restart')
      await ada.say('Before')
      await grace.hears('Before')

      const { url } = server
      await server.stop()
      for (const chat of [ada, grace]) await chat.sees('#state', 'Reconnecting')
      await ada.say('While it was away')
      expect(await ada.page.locator('.pending .text').allTextContents()).toEqual(['While it was away'])
      server = await start(Number(new URL(url).port))
      expect(server.url).toBe(url)
      for (const chat of [ada, grace]) await chat.connected()
      for (const chat of [ada, grace]) await chat.hears('While it was away')
      await grace.say('After')
      for (const chat of [ada, grace]) await chat.hears('After')
      for (const chat of [ada, grace]) expect(await chat.messages()).toEqual(['Before', 'While it was away', 'After'])
      expect(new Set(await ada.people())).toEqual(new Set(['Ada', 'Grace']))
    })

    test(`H20 a connection is cut: the page comes back by itself, with what it missed, once, on ${name}`, async () => {
      const [ada, grace] = await pair('cut')
      await ada.say('Before')
      await grace.hears('Before')
      await ada.page.evaluate('socket.close()')
      await grace.sees('.notice', 'Ada left')
      await grace.say('Meanwhile')
      await ada.sees('.notice', 'You are back')
      await ada.say('After')
      for (const chat of [ada, grace]) {
        await chat.hears('After')
        expect(await chat.messages()).toEqual(['Before', 'Meanwhile', 'After'])
        expect((await chat.people()).sort()).toEqual(['Ada', 'Grace'])
      }
    })

    test(`H20 a message that does not fit gets an error that names the field, and the connection stays, on ${name}`, async () => {
      const [ada, grace] = await pair('invalid')
      // The page itself would not let this through.
      await ada.page.evaluate(() => document.querySelector('#text')?.removeAttribute('maxlength'))
      await ada.say('x'.repeat(2001))
      await ada.sees('#trouble span', 'Not sent. text: at most 2000 characters')
      expect(await ada.page.inputValue('#text')).toBe('x'.repeat(2001))
      expect(await ada.messages()).toEqual([])
      await ada.say('Shorter')
      await grace.hears('Shorter')
      expect(await ada.page.isVisible('#trouble')).toBe(false)
      expect(await ada.page.locator('.notice').allTextContents()).not.toContain('You are back')
    })
  })

  describe('its page', () => {
    useChat(BUN.start)

    test('H20 the title counts what came while the window was in the background', async () => {
      const [ada, grace] = await pair('title')
      expect(await ada.page.title()).toBe('#title · fetch-sock chat')
      const other = await ada.page.context().newPage()
      for (const page of [ada.page, other]) {
        const session = await ada.page.context().newCDPSession(page)
        await session.send('Emulation.setFocusEmulationEnabled', { enabled: false })
      }
      await other.bringToFront()
      await ada.page.waitForFunction(() => document.hidden || !document.hasFocus())
      await grace.say('One')
      await grace.say('Two')
      await ada.page.waitForFunction(() => document.title === '(2) #title · fetch-sock chat')
      await ada.page.bringToFront()
      await ada.page.waitForFunction(() => document.title === '#title · fetch-sock chat')
      expect(await ada.page.locator('.fresh').count()).toBe(1)
    })

    test('H20 the log follows its end, but not for one who reads further up', async () => {
      const [ada, grace] = await pair('scroll')
      const isLastInView = (): Promise<boolean> =>
        ada.page.evaluate(() => {
          const last = document.querySelector('#lines')?.lastElementChild?.getBoundingClientRect()
          const log = document.querySelector('#log')?.getBoundingClientRect()
          return last !== undefined && log !== undefined && last.bottom <= log.bottom
        })
      for (const count of [1, 2, 3, 4]) {
        await grace.say(`${count}${'\n'.repeat(5)}end`)
        await ada.sees('.line .text', `${count}${'\n'.repeat(5)}end`)
      }
      expect(await isLastInView()).toBe(true)
      await ada.page.fill('#text', '\n'.repeat(5))
      await ada.page.waitForFunction(() => (document.querySelector('#text')?.clientHeight ?? 0) > 100)
      await ada.page.evaluate(() => new Promise(requestAnimationFrame))
      expect(await isLastInView()).toBe(true)
      await ada.page.evaluate(() => document.querySelector('#log')?.scrollTo(0, 0))
      await grace.say('Below')
      await ada.page.locator('#below').waitFor()
      expect(await isLastInView()).toBe(false)
      await ada.page.click('#below')
      await ada.page.locator('#below').waitFor({ state: 'hidden' })
      expect(await isLastInView()).toBe(true)
    })

    test('H20 what users type is shown as they typed it', async () => {
      room = 'escape'
      const text = '<img src=x onerror="document.title=1"><script>document.title=2</script>&amp;'
      const name = '<b onclick=alert(1)>E'
      const eve = await (await visit()).join(name)
      const ada = await (await visit()).join('Ada')
      await eve.say(text)
      await ada.hears(text)
      expect(await ada.people()).toEqual(['Ada', name])
      expect(await ada.page.locator('#lines :is(img, script, b)').count()).toBe(0)
      expect(await ada.page.locator('#people b').count()).toBe(0)
      expect(await ada.page.locator('.who bdi').allTextContents()).toEqual([name])
      expect(await ada.page.title()).toBe('#escape · fetch-sock chat')
    })

    test('H20 a name that the server refuses brings back the door, with the reason', async () => {
      room = 'refused'
      const ada = await visit()
      await ada.page.evaluate(() => document.querySelector('#name')?.removeAttribute('maxlength'))
      await ada.page.fill('#name', 'x'.repeat(25))
      await ada.page.press('#name', 'Enter')
      await ada.sees('#refusal', 'Name: at most 24 characters')
      await ada.join('Ada')
      expect(await ada.people()).toEqual(['Ada'])
    })

    test('H20 the keyboard is enough', async () => {
      room = 'keys'
      const grace = await (await visit()).join('Grace')
      const { page } = await visit()
      const focused = (): Promise<string> =>
        page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || '')
      const keys = page.keyboard
      expect(await focused()).toBe('name')
      await keys.type('Ada')
      await keys.press('Tab')
      expect(await focused()).toBe('where')
      await keys.press('Tab')
      expect(await focused()).toBe('Join')
      await keys.press('Enter')
      await grace.sees('.notice', 'Ada joined')
      expect(await focused()).toBe('text')
      await keys.type('First line')
      await keys.press('Shift+Enter')
      await keys.type('second line')
      await keys.press('Enter')
      await grace.sees('.line .text', 'First line\nsecond line')
      expect(await page.inputValue('#text')).toBe('')
      expect(await focused()).toBe('text')

      await keys.type('By the button')
      await keys.press('Tab')
      expect(await focused()).toBe('Send')
      await keys.press('Space')
      await grace.hears('By the button')
      expect(await focused()).toBe('text')

      const order: string[] = []
      for (let count = 0; count < 3; count++) {
        await keys.press('Shift+Tab')
        order.push(await focused())
        const outline = await page.evaluate(
          () => getComputedStyle(document.activeElement ?? document.body).outlineStyle,
        )
        expect(`${order.at(-1)} ${outline}`).toEndWith(' solid')
      }
      expect(order).toEqual(['log', 'leave', 'copy'])
      await keys.press('Tab')
      await keys.press('Enter')
      await grace.sees('.notice', 'Ada left')
      expect(await focused()).toBe('name')
      expect(await page.getAttribute('#log', 'aria-live')).toBe('polite')
    })

    test.each([320, 375])('H20 nothing is wider than a phone of %d pixels', async (width) => {
      room = `phone-${width}-${'w'.repeat(20)}`
      const phone = await visit({
        viewport: { width, height: 640 },
        isMobile: true,
        hasTouch: true,
        deviceScaleFactor: 2,
      })
      const overflow = (): Promise<string[]> =>
        phone.page.evaluate(() => [
          ...(document.documentElement.scrollWidth > innerWidth ? ['the page scrolls'] : []),
          ...[...document.querySelectorAll('body *')]
            .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5)
            .map((node) => `${node.tagName}#${node.id}.${node.className}`),
          ...[...document.querySelectorAll('#log, #people, .text')]
            .filter((node) => node.scrollWidth > node.clientWidth)
            .map((node) => `${node.tagName}#${node.id}.${node.className} scrolls`),
        ])
      expect(await overflow()).toEqual([])
      await phone.join('W'.repeat(24))
      const grace = await (await visit()).join('M'.repeat(24))
      await phone.say('w'.repeat(500))
      await grace.say('m'.repeat(500))
      await phone.hears('m'.repeat(500))
      await grace.page.locator('#text').pressSequentially('a')
      await phone.page.locator('#typing i').waitFor()
      expect(await overflow()).toEqual([])
      await phone.page.tap('#toggle')
      await phone.page.locator('#people').waitFor()
      expect(await phone.people()).toEqual(['W'.repeat(24), 'M'.repeat(24)])
      expect(await overflow()).toEqual([])
      await phone.page.tap('#log')
      expect(await phone.page.isVisible('#people')).toBe(false)
      const size = await phone.page.evaluate(
        () => getComputedStyle(document.querySelector('#text') ?? document.body).fontSize,
      )
      expect(Number.parseFloat(size)).toBeGreaterThanOrEqual(16)
    })
  })
})
