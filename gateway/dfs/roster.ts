// Who is here now, by number, where many come and go all the time: what a Map would do, but for
// memory. V8 makes each table that a Map has outgrown point to the next one. When such a table has
// become old, all that were ever in a later one are kept until the next full collection, and each
// young collection moves them on: for the gateway's requests to its nodes that was an eighth of its
// time.

export class Roster<T> {
  readonly #members: Record<number, T> = Object.create(null)
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    return this.#members[id]
  }

  /** `id`: a whole number that nobody here has. */
  add(id: number, member: T): void {
    this.#members[id] = member
    this.#size++
  }

  /** One that is not here is no error. */
  delete(id: number): void {
    if (this.#members[id] === undefined) return
    delete this.#members[id]
    this.#size--
  }

  /** Of all that are here now, smallest first; whoever leaves meanwhile is named all the same. */
  ids(): number[] {
    return Object.keys(this.#members).map(Number)
  }
}
