/** The chat's page in a window of its own, and what a person does with it. */
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'

export class ChatPage {
  readonly page: Page
  /** Errors of the page and what its policy refused; failed connections are not among them. */
  readonly errors: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.on('pageerror', (error) => this.errors.push(error.message))
    page.on('console', (message) => {
      const text = message.text()
      if (message.type() === 'error' && !text.startsWith('WebSocket connection to')) this.errors.push(text)
    })
  }

  /** Opens the page, as somebody who was never there. */
  static async open(
    browser: Browser,
    url: string,
    room: string,
    options: BrowserContextOptions = {},
  ): Promise<ChatPage> {
    const context = await browser.newContext({ viewport: { width: 900, height: 640 }, ...options })
    const chat = new ChatPage(await context.newPage())
    await chat.page.goto(`${url}/#${encodeURIComponent(room)}`)
    return chat
  }

  /** Fills in the name and waits until the room is open. */
  async join(name: string): Promise<this> {
    await this.page.fill('#name', name)
    await this.page.press('#name', 'Enter')
    await this.connected()
    return this
  }

  connected(): Promise<void> {
    return this.sees('#state', 'Connected')
  }

  async say(text: string): Promise<void> {
    await this.page.fill('#text', text)
    await this.page.press('#text', 'Enter')
  }

  /** Waits until an element that matches holds exactly this text. */
  async sees(selector: string, text: string): Promise<void> {
    await this.#exactly(selector, text).first().waitFor()
  }

  /** Waits until a message with this text is there, sent and come back. */
  hears(text: string): Promise<void> {
    return this.#exactly('.line:not(.pending) .text', text).waitFor()
  }

  /** Texts of all messages, in order. */
  messages(): Promise<string[]> {
    return this.page.locator('.line .text').allTextContents()
  }

  /** Names of who is here, in order. */
  people(): Promise<string[]> {
    return this.page.locator('#people bdi').allTextContents()
  }

  async close(): Promise<void> {
    await this.page.context().close()
  }

  #exactly(selector: string, text: string): Locator {
    const words = new RegExp(`^\\s*${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\s*$`)
    return this.page.locator(selector).filter({ hasText: words })
  }
}
