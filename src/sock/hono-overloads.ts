/**
 * What the methods of a Hono application know of `upgrade()`: the types that its handler gets from the path, the
 * application and the middleware in front.
 *
 * Hono's own signatures tell an inline handler its path by the default of a type parameter, and a default does not
 * reach into the arguments of a call. The signatures here name path and environment outright. They take nothing but
 * what `upgrade()` gives, so that Hono's own read every other handler.
 */
import type { Context, Env, MiddlewareHandler, Next } from 'hono'
import type { HonoBase } from 'hono/hono-base'
import type {
  BlankInput,
  BlankSchema,
  H,
  Input,
  IntersectNonAnyTypes,
  MergePath,
  Schema,
  ToSchema,
  TypedResponse,
} from 'hono/types'

/** Of the compiler alone: no value has it. */
declare const CONTEXT: unique symbol

/** The types of the context that a handler will get. */
export interface ContextTypes<E extends Env, P extends string, I extends Input> {
  bivariant(env: E, path: P, input: I): void
}

/** Where an application takes what `upgrade()` gives. Its signature tells any other function nothing. */
export interface ForContext<E extends Env, P extends string, I extends Input> {
  (c: never, next: never): unknown
  readonly [CONTEXT]: ContextTypes<E, P, I>
}

/** What `upgrade()` gives: middleware whose handler gets the types of the place where it stands. */
export interface UpgradeMiddleware<E extends Env, P extends string, I extends Input> {
  (c: Context<E, P, I>, next: Next): Promise<Response | undefined>
  readonly [CONTEXT]: ContextTypes<E, P, I>
}

type Both<E extends Env, E2 extends Env> = IntersectNonAnyTypes<[E, E2]>

/** A WebSocket in the schema of an application, as `hc` reads it: `$ws()`. */
type Socket<M extends string, P extends string, I extends Input> = ToSchema<
  M,
  P,
  I,
  TypedResponse<BlankSchema, 101, 'ws'>
>

declare module 'hono/types' {
  interface HandlerInterface<
    E extends Env = Env,
    M extends string = string,
    S extends Schema = BlankSchema,
    BasePath extends string = '/',
    CurrentPath extends string = BasePath,
  > {
    <P extends string>(
      path: P,
      handler: ForContext<E, MergePath<BasePath, P>, BlankInput>,
    ): HonoBase<E, S & Socket<M, MergePath<BasePath, P>, BlankInput>, BasePath, MergePath<BasePath, P>>
    <P extends string, I extends Input = BlankInput, E2 extends Env = E>(
      path: P,
      first: H<E2, MergePath<BasePath, P>, I>,
      handler: ForContext<Both<E, E2>, MergePath<BasePath, P>, I>,
    ): HonoBase<E, S & Socket<M, MergePath<BasePath, P>, I>, BasePath, MergePath<BasePath, P>>
    <
      P extends string,
      I extends Input = BlankInput,
      I2 extends Input = I,
      E2 extends Env = E,
      E3 extends Env = Both<E, E2>,
    >(
      path: P,
      first: H<E2, MergePath<BasePath, P>, I>,
      second: H<E3, MergePath<BasePath, P>, I2>,
      handler: ForContext<Both<Both<E, E2>, E3>, MergePath<BasePath, P>, I & I2>,
    ): HonoBase<E, S & Socket<M, MergePath<BasePath, P>, I & I2>, BasePath, MergePath<BasePath, P>>
    <
      P extends string,
      I extends Input = BlankInput,
      I2 extends Input = I,
      I3 extends Input = I & I2,
      E2 extends Env = E,
      E3 extends Env = Both<E, E2>,
      E4 extends Env = Both<Both<E, E2>, E3>,
    >(
      path: P,
      first: H<E2, MergePath<BasePath, P>, I>,
      second: H<E3, MergePath<BasePath, P>, I2>,
      third: H<E4, MergePath<BasePath, P>, I3>,
      handler: ForContext<Both<Both<Both<E, E2>, E3>, E4>, MergePath<BasePath, P>, I & I2 & I3>,
    ): HonoBase<E, S & Socket<M, MergePath<BasePath, P>, I & I2 & I3>, BasePath, MergePath<BasePath, P>>
    (
      handler: ForContext<E, CurrentPath, BlankInput>,
    ): HonoBase<E, S & Socket<M, CurrentPath, BlankInput>, BasePath, CurrentPath>
    <I extends Input = BlankInput, E2 extends Env = E>(
      first: H<E2, CurrentPath, I>,
      handler: ForContext<Both<E, E2>, CurrentPath, I>,
    ): HonoBase<E, S & Socket<M, CurrentPath, I>, BasePath, CurrentPath>
  }

  interface OnHandlerInterface<E extends Env = Env, S extends Schema = BlankSchema, BasePath extends string = '/'> {
    <M extends string, P extends string>(
      method: M | M[],
      path: P,
      handler: ForContext<E, MergePath<BasePath, P>, BlankInput>,
    ): HonoBase<E, S & Socket<M, MergePath<BasePath, P>, BlankInput>, BasePath, MergePath<BasePath, P>>
    <M extends string, P extends string, I extends Input = BlankInput, E2 extends Env = E>(
      method: M | M[],
      path: P,
      first: H<E2, MergePath<BasePath, P>, I>,
      handler: ForContext<Both<E, E2>, MergePath<BasePath, P>, I>,
    ): HonoBase<E, S & Socket<M, MergePath<BasePath, P>, I>, BasePath, MergePath<BasePath, P>>
  }

  interface MiddlewareHandlerInterface<
    E extends Env = Env,
    S extends Schema = BlankSchema,
    BasePath extends string = '/',
  > {
    <P extends string>(
      path: P,
      handler: ForContext<E, MergePath<BasePath, P>, BlankInput>,
    ): HonoBase<E, S, BasePath, MergePath<BasePath, P>>
    <P extends string, E2 extends Env = E>(
      path: P,
      first: MiddlewareHandler<E2, MergePath<BasePath, P>>,
      handler: ForContext<Both<E, E2>, MergePath<BasePath, P>, BlankInput>,
    ): HonoBase<E, S, BasePath, MergePath<BasePath, P>>
  }
}
