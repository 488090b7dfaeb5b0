/** Functions among the options. */

/** A function that may ask for less than it gets, so that options of one application fit where those of any are taken. */
export type Callback<Args extends readonly unknown[], Result = unknown> = {
  bivariant(...args: Args): Result
}['bivariant']

/** Options, or a function that gives them for each connection, from `c.env` for instance. */
export type PerConnection<Options, C> = Options | Callback<[c: C], Options | Promise<Options>>

/** Picks one of the subprotocols that the client offered, or none. Not called when it offered none. */
export type SubprotocolChooser<Sub extends string, C> = Callback<
  [offered: readonly string[], c: C],
  Sub | null | undefined | Promise<Sub | null | undefined>
>
