/** What the examples use of Deno; its own types would replace those of every other file. */
declare namespace Deno {
  function serve(
    options: { readonly port: number; onListen(address: { readonly port: number }): void },
    fetch: (request: Request) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> }
}
