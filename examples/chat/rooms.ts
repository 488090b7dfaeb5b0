/** Who is in a room and what was said last, in memory. */
export class Room<Line extends { id: string }> {
  readonly people: Set<string> = new Set()
  readonly history: Line[] = []

  /** Lets somebody in. @returns the name they go by: `Ada 2` where an Ada is already */
  enter(wanted: string): string {
    const taken = new Set([...this.people].map((name) => name.toLowerCase()))
    let name = wanted
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${wanted} ${n}`
    this.people.add(name)
    return name
  }

  /** Keeps the last 50 lines. @returns `false` for one that a page sent again after a reconnection */
  keep(line: Line): boolean {
    if (this.history.some(({ id }) => id === line.id)) return false
    this.history.push(line)
    if (this.history.length > 50) this.history.shift()
    return true
  }
}

/** Every room that has people, and the hundred that had some last. */
export class Rooms<Line extends { id: string }> {
  readonly #rooms = new Map<string, Room<Line>>()

  open(name: string): Room<Line> {
    const room = this.#rooms.get(name) ?? new Room<Line>()
    // A map keeps its order: what was opened last stands last.
    this.#rooms.delete(name)
    for (const [other, { people }] of this.#rooms) {
      if (this.#rooms.size >= 100 && people.size === 0) this.#rooms.delete(other)
    }
    this.#rooms.set(name, room)
    return room
  }
}
