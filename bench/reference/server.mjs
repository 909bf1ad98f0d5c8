// The reference: what a good JavaScript engineer would put in place of EISHRO for three of its
// routes. The same work on Hono or Fastify, on Node or Bun, with SQLite or PostgreSQL; README.md
// says what it does and does not do.
//
// Environment: BENCH_FRAMEWORK (hono, fastify), BENCH_DATABASE (a SQLite file or postgresql://…),
// BENCH_CITIES (cities.json), BENCH_PORT, BENCH_SECRET (32 characters or more; signs guests'
// tokens and seals stored answers), BENCH_RATE (requests of an address in an hour),
// BENCH_CACHE_SECONDS (0: answers are not cached).

import { readFileSync } from 'node:fs'
import { openDoor } from './door.mjs'
import { openValidation } from './validation.mjs'

const FRAMEWORKS = {
  hono: async (...given) => (await import('./hono.mjs')).serveHono(...given),
  fastify: async (...given) => (await import('./fastify.mjs')).serveFastify(...given),
}

const { BENCH_FRAMEWORK, BENCH_DATABASE, BENCH_CITIES, BENCH_PORT, BENCH_SECRET } = process.env
const serve = FRAMEWORKS[BENCH_FRAMEWORK]
if (!serve || !BENCH_DATABASE || !BENCH_CITIES || !BENCH_PORT) {
  throw new Error('set BENCH_FRAMEWORK, BENCH_DATABASE, BENCH_CITIES and BENCH_PORT')
}
if ((BENCH_SECRET ?? '').length < 32) throw new Error('BENCH_SECRET is too short')

const cities = JSON.parse(readFileSync(BENCH_CITIES, 'utf8'))
const engine = BENCH_DATABASE.startsWith('postgresql://')
  ? await openPostgresEngine()
  : await openSqliteEngine()
const door = openDoor({
  ...engine,
  validateOrder: openValidation(cities),
  rate: Number(process.env.BENCH_RATE),
  cacheSeconds: Number(process.env.BENCH_CACHE_SECONDS ?? 0),
})
const stop = await serve(door, Number(BENCH_PORT))

process.on('SIGTERM', async () => {
  await stop()
  await engine.close()
  process.exit(0)
})

async function openSqliteEngine() {
  const { openSqlite } = await import('./sqlite.mjs')
  const { openCatalogue } = await import('./catalogue.mjs')
  const { openOrders } = await import('./orders.mjs')
  const db = await openSqlite(BENCH_DATABASE)
  return {
    catalogue: openCatalogue(db),
    orders: openOrders(db, cities, BENCH_SECRET),
    close: () => db.close(),
  }
}

async function openPostgresEngine() {
  const { openPostgres } = await import('./postgres.mjs')
  const { openCatalogue } = await import('./catalogue_postgres.mjs')
  const { openOrders } = await import('./orders_postgres.mjs')
  const sql = openPostgres(BENCH_DATABASE)
  return {
    catalogue: openCatalogue(sql),
    orders: openOrders(sql, cities, BENCH_SECRET),
    close: () => sql.end({ timeout: 5 }),
  }
}
