/** The contract's application as a Worker. */
import { app } from './app.ts'

export default app
