/** Every case of an Autobahn fuzzing server, echoed by our client. Arguments: the server's URL, the agent's name. */
import process from 'node:process'
import { type Connection, WebSocketError } from 'fetch-sock'
import { connect } from 'fetch-sock/client'

const [base, agent] = process.argv.slice(2) as [string, string]
const MAX_MESSAGE_SIZE = 64 * 1024 * 1024

function open(path: string): Promise<Connection> {
  const url = new URL(path, base.replace(/\/?$/, '/'))
  return connect(url, {
    maxMessageSize: MAX_MESSAGE_SIZE,
    permessageDeflate: true,
    pingInterval: Number.POSITIVE_INFINITY,
  })
}

/** A case ends when the server closes; that it fails the connection is often the case itself. */
async function echo(ws: Connection): Promise<void> {
  try {
    for await (const message of ws) await ws.send(message)
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error
  } finally {
    await ws.close()
  }
}

const counter = await open('getCaseCount')
const count = Number(await counter.receiveText())
await counter.close()
for (let number = 1; number <= count; number++) {
  await echo(await open(`runCase?case=${number}&agent=${encodeURIComponent(agent)}`))
}
const updater = await open(`updateReports?agent=${encodeURIComponent(agent)}`)
await updater.close()
console.log(`${count} cases run as ${agent}`)
