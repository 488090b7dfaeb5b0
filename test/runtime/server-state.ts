/** What test/runtime/raw-app.ts says about itself at `/state`. */
export interface ServerState {
  readonly requests: Readonly<Record<string, number>>
  readonly started: number
  readonly ended: number
  readonly unopened: number
  readonly aborted: number
  readonly errors: readonly string[]
  readonly log: readonly string[]
  readonly closes: readonly number[]
  readonly connections: number
  readonly rss: number
}

const PATIENCE = 10_000

export async function stateOf(url: string): Promise<ServerState> {
  const response = await fetch(`${url}/state`, { tls: { rejectUnauthorized: false } })
  return (await response.json()) as ServerState
}

/** Asks until the condition holds. */
export async function stateWhen(url: string, condition: (state: ServerState) => boolean): Promise<ServerState> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const state = await stateOf(url)
    if (condition(state)) return state
    if (performance.now() > deadline) throw new Error(`The server stayed at ${JSON.stringify(state)}`)
    await Bun.sleep(10)
  }
}
