/** One WebSocket of a page of the server's own origin: what its script does, and the events that it sees. */
import type { Browser, JSHandle, Page } from 'playwright-core'

interface Opened {
  readonly socket: WebSocket
  readonly events: readonly string[]
}

export class PageSocket implements AsyncDisposable {
  /** Why Chromium failed a connection, which it tells the console and no script. */
  readonly failures: string[] = []
  readonly #page: Page
  #opened: JSHandle<Opened> | undefined

  private constructor(page: Page) {
    this.#page = page
    page.on('console', (message) => {
      const [, failure] = /^WebSocket connection to '.*' failed: (.*)/.exec(message.text()) ?? []
      if (failure !== undefined) this.failures.push(failure)
    })
  }

  /** Does not wait for the handshake. */
  static async dial(browser: Browser, url: string, path: string, subprotocols: string[] = []): Promise<PageSocket> {
    const opened = new PageSocket(await browser.newPage())
    await opened.#page.goto(url)
    opened.#opened = await opened.#page.evaluateHandle(dial, { url: url.replace(/^http/, 'ws') + path, subprotocols })
    return opened
  }

  async send(message: string): Promise<this> {
    await this.#opened?.evaluate(({ socket }, text) => socket.send(text), message)
    return this
  }

  /**
   * All events so far, once there is one that begins so; what there is when it does not come. Such as `open chat.v2`,
   * `message text`, `error`, `close 1000 true reason`.
   */
  async until(beginning: string): Promise<readonly string[]> {
    const events = await this.#opened?.evaluate(async ({ events }, expected) => {
      const deadline = Date.now() + 10_000
      while (!events.some((event) => event.startsWith(expected)) && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return events
    }, beginning)
    return events ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#page.close()
  }
}

/** Runs in the page. */
function dial({ url, subprotocols }: { url: string; subprotocols: string[] }): Opened {
  const events: string[] = []
  const note = (...words: unknown[]): unknown => events.push(words.join(' ').trimEnd())
  const socket = new WebSocket(url, subprotocols)
  socket.onopen = () => note('open', socket.protocol)
  socket.onmessage = ({ data }) => note('message', data)
  socket.onerror = () => note('error')
  socket.onclose = ({ code, wasClean, reason }) => note('close', code, wasClean, reason)
  return { socket, events }
}
