/** A server that says what no process may. Arguments: the port; how it does; whether it ends by itself. */
import process from 'node:process'

const ways: Readonly<Record<string, () => void>> = {
  nothing: () => {},
  dies: () => void Promise.reject(new Error('of nobody')),
  warns: () => process.emitWarning('Eleven listeners', 'MaxListenersExceededWarning'),
  tells: () => console.error('UNHANDLED', new Error('of nobody')),
}
const [, , , way = '', end] = process.argv
setTimeout(() => {
  ways[way]?.()
  if (end === 'ends') setTimeout(() => process.exit(0), 50)
}, 50)
// Without a timer it would have nothing to wait for.
setInterval(() => {}, 1000)
process.on('SIGTERM', () => process.exit(0))
console.log('ready http://127.0.0.1:1')
