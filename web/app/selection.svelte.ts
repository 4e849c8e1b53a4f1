// Which row has the cursor and which are chosen, by keys, so that both outlive sorting and news.
// The cursor's row is the one that the keyboard acts on and whose parts the cluster card shows.
import { type Item, keyOf } from './files.ts'
import { positionOf } from './order.ts'

export class Selection {
  /** Key of the cursor's row; undefined until a row is picked. */
  cursor = $state<string | undefined>()
  chosen = $state.raw<ReadonlySet<string>>(new Set())
  /** Where a stretch that Shift chooses begins. */
  #anchor: string | undefined
  readonly #items: () => readonly Item[]

  position = $derived.by(() =>
    this.cursor === undefined ? -1 : positionOf(this.#items(), this.cursor),
  )
  item = $derived.by<Item | undefined>(() => this.#items()[this.position])

  constructor(items: () => readonly Item[]) {
    this.#items = items
  }

  pick(key: string): void {
    this.cursor = key
    this.#anchor = key
  }

  /** Moves the cursor; `isExtending` chooses what it passes. */
  move(steps: number, isExtending = false): void {
    const items = this.#items()
    if (items.length === 0) return
    // Without a cursor the position is before the first row.
    const to = Math.max(0, Math.min(items.length - 1, this.position + steps))
    const key = keyOf(items[to]!)
    if (isExtending) {
      this.#anchor ??= this.cursor ?? key
      this.stretchTo(key)
    } else this.#anchor = key
    this.cursor = key
  }

  toggle(key: string): void {
    const chosen = new Set(this.chosen)
    if (!chosen.delete(key)) chosen.add(key)
    this.chosen = chosen
    this.cursor = key
    this.#anchor = key
  }

  /** Chooses all rows from the anchor to `key`. */
  stretchTo(key: string): void {
    const items = this.#items()
    const from = positionOf(items, this.#anchor ?? this.cursor ?? key)
    const to = positionOf(items, key)
    if (to < 0) return
    const ends = [from < 0 ? to : from, to] as const
    const stretch = items.slice(Math.min(...ends), Math.max(...ends) + 1)
    this.chosen = new Set([...this.chosen, ...stretch.map(keyOf)])
    this.cursor = key
  }

  chooseAll(): void {
    this.chosen = new Set(this.#items().map(keyOf))
  }

  clear(): void {
    this.chosen = new Set()
  }

  /** Those rows go: the cursor steps from them to the next row that stays. */
  leave(keys: readonly string[]): void {
    const going = new Set(keys)
    if (this.cursor !== undefined && going.has(this.cursor)) {
      const items = this.#items()
      const stays = (item: Item) => !going.has(keyOf(item))
      const next = items.slice(this.position).find(stays) ?? items.findLast(stays)
      this.cursor = next && keyOf(next)
    }
    this.drop(keys)
  }

  /** Forgets what is no longer there. */
  drop(keys: Iterable<string>): void {
    this.chosen = this.chosen.difference(new Set(keys))
  }
}
