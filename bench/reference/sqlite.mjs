// One face for the two SQLite bindings, better-sqlite3 on Node and bun:sqlite on Bun, so that
// the work above them is the same. Both are synchronous.

const PRAGMAS = [
  // The same durability and the same page cache as EISHRO's connections.
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  'trusted_schema = OFF',
  'cache_size = -32000',
  'journal_size_limit = 64000000',
]

// `prepare` gives get (a row or undefined), all, and run (the number of rows it changed);
// `transaction` wraps a function in BEGIN IMMEDIATE and COMMIT.
export async function openSqlite(path) {
  const db = process.versions.bun ? await openBun(path) : await openNode(path)
  for (const pragma of PRAGMAS) db.prepare(`PRAGMA ${pragma}`).all()
  return {
    prepare(text) {
      const statement = db.prepare(text)
      return {
        get: (...values) => statement.get(...values) ?? undefined,
        all: (...values) => statement.all(...values),
        run: (...values) => statement.run(...values).changes,
      }
    },
    transaction: (work) => db.transaction(work).immediate,
    close: () => db.close(),
  }
}

async function openNode(path) {
  const { default: Database } = await import('better-sqlite3')
  const db = new Database(path, { fileMustExist: true })
  return {
    // A pragma that sets and says nothing is no query for better-sqlite3.
    prepare: (text) => (text.startsWith('PRAGMA') ? pragmaOf(db, text) : db.prepare(text)),
    transaction: (work) => db.transaction(work),
    close: () => db.close(),
  }
}

const pragmaOf = (db, text) => ({ all: () => db.pragma(text.slice('PRAGMA '.length)) })

async function openBun(path) {
  const { Database } = await import('bun:sqlite')
  // Strict: a value that is missing is an error, and names come without their mark.
  return new Database(path, { readwrite: true, create: false, strict: true })
}
