/** The contract's application as a Worker. */
import { app } from './app.ts'

// The host says nothing of them by itself.
addEventListener('unhandledrejection', (event) => console.error('UNHANDLED', (event as PromiseRejectionEvent).reason))

export default app
