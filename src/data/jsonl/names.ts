/** Names with more dots than this are reached key by key or whole, not by keys that hold dots themselves. */
const MOST_DOTS = 6;

/** One step of the way to wanted columns: `user.age` is the key `age` of the object under `user`, or a key with a dot in it. */
export class NameNode {
  /** Number of the column that ends here; −1: none. */
  column = -1;
  private readonly keys: Uint8Array[] = [];
  private readonly nodes: NameNode[] = [];
  /** Where the search begins: lines mostly have their keys in one order. */
  private hint = 0;

  get hasChildren(): boolean {
    return this.nodes.length > 0;
  }

  child(key: string): NameNode {
    const bytes = Buffer.from(key, 'utf8');
    const at = this.keys.findIndex((one) => bytes.equals(one));
    if (at >= 0) return this.nodes[at];
    this.keys.push(bytes);
    const node = new NameNode();
    this.nodes.push(node);
    return node;
  }

  /** The child of the key bytes[start, end); null where nothing is wanted there. @param number of the key in its object. */
  find(bytes: Uint8Array, start: number, end: number, number: number): NameNode | null {
    const { keys } = this;
    if (number === 0) this.hint = 0;
    for (let k = 0, i = this.hint; k < keys.length; k++, i++) {
      if (i >= keys.length) i = 0;
      const key = keys[i];
      if (key.length !== end - start) continue;
      let same = 0;
      while (same < key.length && key[same] === bytes[start + same]) same++;
      if (same < key.length) continue;
      this.hint = i + 1;
      return this.nodes[i];
    }
    return null;
  }
}

/** The tree of wanted columns; their numbers are their places in `names`. */
export function nameTree(names: readonly string[]): NameNode {
  const root = new NameNode();
  names.forEach((name, column) => {
    const parts = name.split('.');
    if (parts.length <= MOST_DOTS + 1) insert(root, parts, 0, column);
    else {
      root.child(name).column = column;
      let node = root;
      for (const part of parts) node = node.child(part);
      node.column = column;
    }
  });
  return root;
}

function insert(node: NameNode, parts: readonly string[], from: number, column: number): void {
  for (let to = from + 1; to <= parts.length; to++) {
    const child = node.child(parts.slice(from, to).join('.'));
    if (to === parts.length) child.column = column;
    else insert(child, parts, to, column);
  }
}
