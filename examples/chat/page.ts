import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'

/** Serves the page at `/`. It may load nothing from elsewhere, and nobody may frame it. */
export async function page(html: string): Promise<Hono> {
  const page = new Hono()
  page.use(
    secureHeaders({
      // These two are for pages that always come over TLS; this one may come from a laptop to a phone.
      strictTransportSecurity: false,
      crossOriginOpenerPolicy: false,
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: [await hashOf(html, 'script')],
        styleSrc: [await hashOf(html, 'style')],
        connectSrc: ["'self'"],
        imgSrc: ['data:'],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  )
  page.get('/', (c) => c.html(html))
  return page
}

/** What the policy lets run: the one script and the one style sheet that are in the page, by their hash. */
async function hashOf(html: string, tag: 'script' | 'style'): Promise<string> {
  const [, body = ''] = html.match(new RegExp(`<${tag}>(.*?)</${tag}>`, 's')) ?? []
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body))
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`
}
