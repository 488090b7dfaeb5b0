/** Somebody in the chat, without a page: a WebSocket that speaks its messages. */

/** A message of the chat, as it came. */
export interface ChatMessage {
  readonly type: string
  readonly [field: string]: unknown
}

const PATIENCE = 10_000

export class ChatClient {
  /** Everything received and not yet asked for. */
  readonly unread: ChatMessage[] = []
  /** Types of everything received, in order. */
  readonly types: string[] = []
  /** Resolves to the close code. */
  readonly closed: Promise<number>
  readonly #socket: WebSocket
  #arrived = Promise.withResolvers<void>()

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data)) as ChatMessage
      this.unread.push(message)
      this.types.push(message.type)
      this.#arrived.resolve()
      this.#arrived = Promise.withResolvers()
    }
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code }) => resolve(code)
    })
  }

  /** Connects to a room, without a name yet. */
  static async connect(wsUrl: string, room: string): Promise<ChatClient> {
    const socket = new WebSocket(`${wsUrl}/chat/${encodeURIComponent(room)}`)
    const client = new ChatClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve()
      socket.onerror = () => reject(new Error(`No connection to the room ${room}`))
    })
    return client
  }

  /** Connects to a room and joins it. */
  static async join(wsUrl: string, room: string, name: string): Promise<ChatClient> {
    const client = await ChatClient.connect(wsUrl, room)
    client.send({ type: 'join', name })
    return client
  }

  /** Sends an object as JSON, anything else as it is. */
  send(message: object | string | Uint8Array<ArrayBuffer>): void {
    const raw = typeof message === 'string' || message instanceof Uint8Array
    this.#socket.send(raw ? message : JSON.stringify(message))
  }

  say(text: string): void {
    this.send({ type: 'say', id: messageId(), text })
  }

  /** The next message of this type; those before it are dropped. */
  async next(type: string): Promise<ChatMessage> {
    const deadline = performance.now() + PATIENCE
    for (;;) {
      const index = this.unread.findIndex((message) => message.type === type)
      const found = this.unread[index]
      if (found !== undefined) {
        this.unread.splice(0, index + 1)
        return found
      }
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`No ${type} came; there is ${JSON.stringify(this.unread)}`)
      await Promise.race([this.#arrived.promise, Bun.sleep(left)])
    }
  }

  /** Waits until somebody has said this. */
  async hear(text: string): Promise<void> {
    let said = await this.next('said')
    while (said.text !== text) said = await this.next('said')
  }

  async leave(): Promise<void> {
    this.#socket.close()
    await this.closed
  }
}

/** As a page makes them: 128 random bits. */
export function messageId(): string {
  return crypto.randomUUID().replaceAll('-', '')
}
