import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'

const html = readFileSync(new URL('../chat.html', import.meta.url), 'utf8')

/** What the policy lets run: the one script and the one style sheet that are in the page, by their hash. */
const hash = (tag: 'script' | 'style'): string => {
  const [, body = ''] = html.match(new RegExp(`<${tag}>(.*?)</${tag}>`, 's')) ?? []
  return `'sha256-${createHash('sha256').update(body).digest('base64')}'`
}

/** Serves the page at `/`. It may load nothing from elsewhere, and nobody may frame it. */
export const page: Hono = new Hono()

page.use(
  secureHeaders({
    // These two are for pages that always come over TLS; this one may come from a laptop to a phone.
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: [hash('script')],
      styleSrc: [hash('style')],
      connectSrc: ["'self'"],
      imgSrc: ['data:'],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  }),
)
page.get('/', (c) => c.html(html))
