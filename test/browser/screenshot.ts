/** `bun run test/browser/screenshot.ts` starts the chat, lets two windows talk, and writes docs/chat.png. */
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { ROOT } from '../subject/runtime.ts'
import { startServer } from '../subject/start.ts'
import { ChatPage } from './chat-page.ts'
import { launch } from './chromium.ts'

const HEIGHT = 680
const ROOM = 'lobby'

await using server = await startServer('bun', join(ROOT, 'examples', 'chat.ts'), { env: { PORT: '0' } })
const browser = await launch()
try {
  const [wide, narrow] = await talk(browser)
  await Bun.write(join(ROOT, 'docs', 'chat.png'), await compose(browser, wide, narrow))
} finally {
  await browser.close()
}

/** A wide light window and a narrow dark one, in the middle of a conversation. */
async function talk(browser: Browser): Promise<[Uint8Array, Uint8Array]> {
  const shared = { deviceScaleFactor: 2, locale: 'en-GB' }
  const open = (width: number, colorScheme: 'light' | 'dark'): Promise<ChatPage> =>
    ChatPage.open(browser, server.url, ROOM, { ...shared, viewport: { width, height: HEIGHT }, colorScheme })
  const ada = await (await open(800, 'light')).join('Ada')
  const grace = await (await open(390, 'dark')).join('Grace')
  await ada.sees('.notice', 'Grace joined')
  const lines: [ChatPage, string][] = [
    [ada, 'Morning! How is the train?'],
    [grace, 'Fast. The network less so: three tunnels, three times gone.'],
    [ada, 'You were back each time before I had finished a sentence.'],
    [grace, 'The page waits a little and dials again.'],
    [grace, 'And what I wrote in the tunnel went out after it.'],
    [ada, 'So nothing was lost. <b>Nice.</b>'],
  ]
  for (const [speaker, text] of lines) {
    await speaker.say(text)
    for (const listener of [ada, grace]) await listener.hears(text)
  }
  await grace.page.locator('#text').pressSequentially('And it shows what I')
  await ada.sees('#typing', 'Grace is typing')
  return [await ada.page.screenshot(), await grace.page.screenshot()]
}

/** Both windows side by side, on nothing: the picture stands on light and on dark pages. */
async function compose(browser: Browser, ...windows: Uint8Array[]): Promise<Uint8Array> {
  const context = await browser.newContext({ deviceScaleFactor: 1.5, viewport: { width: 1300, height: 700 } })
  const page = await context.newPage()
  const images = windows.map((png) => `<img src="data:image/png;base64,${Buffer.from(png).toString('base64')}">`)
  await page.setContent(`
    <style>
      body { margin: 0; display: inline-flex; gap: 20px; padding: 16px; background: none; }
      img { height: ${HEIGHT}px; border-radius: 14px; outline: 1px solid #8885; box-shadow: 0 4px 14px #0004; }
    </style>${images.join('')}`)
  const picture = await page.locator('body').screenshot({ omitBackground: true })
  await context.close()
  return picture
}
