/** A promise that is settled from outside. `Promise.withResolvers` came with Node 22. */
export interface PromiseWithResolver<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

export function promiseWithResolver<T>(): PromiseWithResolver<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((settle, fail) => {
    resolve = settle
    reject = fail
  })
  return { promise, resolve, reject }
}
