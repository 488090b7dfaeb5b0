/**
 * A linked list in insertion order, whose members remove themselves in one step.
 *
 * Not a `Set`: its outgrown tables keep removed entries alive until a collection of old objects, so connections that
 * have ended would grow old with all that they hold.
 */

/** A member of at most one ring. */
export class RingMember {
  previous: RingMember = this
  next: RingMember = this

  /** Leaves its ring, and holds nothing of it. Idempotent. */
  leave(): void {
    const { previous, next } = this
    previous.next = next
    next.previous = previous
    this.previous = this
    this.next = this
    if (previous === next) next.onAlone()
  }

  /** @internal The only other one has left. */
  onAlone(): void {}
}

/** Stands before the first and behind the last. */
class RingEnd extends RingMember {
  readonly #onEmpty: (() => void) | undefined

  constructor(onEmpty: (() => void) | undefined) {
    super()
    this.#onEmpty = onEmpty
  }

  override onAlone(): void {
    this.#onEmpty?.()
  }
}

export class Ring<M extends RingMember> {
  readonly #end: RingEnd

  /** @param onEmpty called when the last member has left */
  constructor(onEmpty?: () => void) {
    this.#end = new RingEnd(onEmpty)
  }

  /** The member that came first, or `undefined`. */
  get first(): M | undefined {
    const { next } = this.#end
    return next === this.#end ? undefined : (next as M)
  }

  /** Members in order, as they are now: going through them may make them leave. */
  all(): M[] {
    const members: M[] = []
    for (let at: RingMember = this.#end.next; at !== this.#end; at = at.next) members.push(at as M)
    return members
  }

  /** Adds one that is in no ring, as the last. */
  add(member: M): void {
    const end = this.#end
    member.previous = end.previous
    member.next = end
    end.previous.next = member
    end.previous = member
  }
}
