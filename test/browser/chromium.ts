/** Debian's Chromium under playwright-core. */
import { type Browser, chromium } from 'playwright-core'

/** Path of the browser, or `null`: then the tests of this folder are skipped. */
export const executablePath: string | null = Bun.which('chromium')

if (executablePath === null) console.warn('Browser tests are skipped: no chromium in PATH (Debian package: chromium)')

/** Starts the browser without its own traffic. The caller closes it. */
export function launch(): Promise<Browser> {
  if (executablePath === null) throw new Error('No chromium in PATH (Debian package: chromium)')
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
