/** The contract's application inside one Durable Object. */
import { app } from './app.ts'

// The host says nothing of them by itself.
addEventListener('unhandledrejection', (event) => console.error('UNHANDLED', (event as PromiseRejectionEvent).reason))

interface Bindings {
  readonly ROOM: { idFromName(name: string): object; get(id: object): { fetch(request: Request): Promise<Response> } }
}

export class Room {
  readonly #context: unknown
  readonly #env: unknown

  constructor(context: unknown, env: unknown) {
    this.#context = context
    this.#env = env
  }

  async fetch(request: Request): Promise<Response> {
    return app.fetch(request, this.#env as never, this.#context as never)
  }
}

export default {
  fetch(request: Request, env: Bindings): Promise<Response> {
    return env.ROOM.get(env.ROOM.idFromName('contract')).fetch(request)
  },
}
