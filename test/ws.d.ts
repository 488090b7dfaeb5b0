/** The `ws` package by its path: under Bun a bare import gives Bun's own stand-in. */
declare module '*/node_modules/ws/wrapper.mjs' {
  export * from 'ws'
  export { default } from 'ws'
}
