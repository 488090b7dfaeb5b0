/**
 * Stand-ins for the objects of Fetch: each knows what nearly everybody asks for, and makes the real object when somebody
 * asks for more. A real one costs as much as the rest of a handshake, and stays for the whole connection.
 */

/**
 * Gives a prototype every member of `original` that it lacks, so that its objects pass for objects of that kind. What
 * they lack is done by the real object.
 *
 * @param real makes the real object of a stand-in, once
 */
export function standInFor<T extends object>(prototype: T, original: object, real: (standIn: T) => object): void {
  for (let from = original; from !== Object.prototype; from = Object.getPrototypeOf(from) as object) {
    for (const key of Reflect.ownKeys(from)) {
      const member = Object.getOwnPropertyDescriptor(from, key) as PropertyDescriptor
      if (Object.hasOwn(prototype, key) || typeof (member.get ?? member.value) !== 'function') continue
      Object.defineProperty(prototype, key, { configurable: true, ...forwarded(key, member, real) })
    }
  }
  Object.setPrototypeOf(prototype, original)
}

function forwarded<T extends object>(
  key: string | symbol,
  { get }: PropertyDescriptor,
  real: (standIn: T) => object,
): PropertyDescriptor {
  if (get !== undefined) {
    return {
      get(this: T): unknown {
        return Reflect.get(real(this), key)
      },
    }
  }
  return {
    value(this: T, ...args: readonly unknown[]): unknown {
      const object = real(this)
      return Reflect.apply(Reflect.get(object, key) as () => unknown, object, args)
    },
  }
}
