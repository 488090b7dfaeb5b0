/**
 * Rejections that nobody may be waiting for.
 *
 * A handler may call `send` or `receive` and drop the promise; when the connection then ends, that must not take the
 * process down. Whoever does await the promise still gets the error.
 */

function seen(): void {}

/** The same promise, which its holder may drop. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(seen)
  return promise
}

/** Rejects a promise that its holder may have dropped. */
export function rejectQuietly(promise: Promise<unknown>, reject: (error: unknown) => void, error: unknown): void {
  promise.catch(seen)
  reject(error)
}

/** Calls a hook of the application with a payload; what it throws, at once or later, goes to `failed`. */
export function callHook(
  hook: ((payload: Uint8Array) => unknown) | undefined,
  payload: Uint8Array,
  failed: (error: unknown) => void,
): void {
  try {
    const said = hook?.(payload)
    if (said instanceof Promise) said.catch(failed)
  } catch (error) {
    failed(error)
  }
}

/** A rejected promise that its holder may drop. */
export function quietRejection(error: unknown): Promise<never> {
  return quiet(Promise.reject(error))
}
