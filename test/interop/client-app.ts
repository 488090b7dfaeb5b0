/** Runs the suite with one client. Arguments: the client, the server's URL, then how, as JSON. Prints the lines as JSON. */
import process from 'node:process'
import { builtIn, ours, wsPackage } from './clients.ts'
import { type Dial, play } from './suite.ts'

const [name = '', url = '', how = ''] = process.argv.slice(2)
const clients: Readonly<Record<string, Dial>> = { ours, 'built-in': builtIn, ws: wsPackage }
const dial = clients[name]
if (dial === undefined) throw new Error(`No client named ${name}`)
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => {
    console.error(event, error)
    process.exit(1)
  })
}
console.log(JSON.stringify(await play(dial, url, JSON.parse(how))))
process.exit(0)
