/**
 * Standard Schema, version 1: the interface that zod, valibot, arktype and others implement
 * (https://standardschema.dev). Types only, so that no schema library is needed to build against.
 */

/** Something that checks a value and says what comes out. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    /** Name of the library. */
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    /** Never there at run time: it carries the two types. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a check gives: the value, as the schema makes it, or why there is none. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** One reason why a value does not fit. */
export interface StandardIssue {
  readonly message: string
  /** Where in the value; absent or empty for the value as a whole. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema takes. */
export type InferInput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

/** What a schema gives. */
export type InferOutput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']
