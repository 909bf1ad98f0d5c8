// The reference: what a good Node engineer would put in place of EISHRO for three of its routes,
// with Hono, @hono/node-server and better-sqlite3. README.md says what it does and does not do.
//
// Environment: BENCH_DATABASE (the SQLite file), BENCH_CITIES (cities.json), BENCH_PORT,
// BENCH_SECRET (32 characters or more; signs guests' tokens and seals stored answers).

import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import Database from 'better-sqlite3'
import { Hono } from 'hono'
import { openCatalogue } from './catalogue.mjs'
import { Refusal } from './errors.mjs'
import { textId } from './ids.mjs'
import { openOrders } from './orders.mjs'
import { openValidation } from './validation.mjs'

const BODY_BYTES_MAX = 1_000_000
const REQUEST_ID = /^[A-Za-z0-9_.:-]{8,100}$/
const IDEMPOTENCY_KEY = /^[!-~]{1,200}$/
const DONE = { en: 'Done.', ar: 'تم.' }
const FAULT = { en: 'Something went wrong on our side.', ar: 'حدث خطأ من جانبنا.' }

const { BENCH_DATABASE, BENCH_CITIES, BENCH_PORT, BENCH_SECRET } = process.env
if (!BENCH_DATABASE || !BENCH_CITIES || !BENCH_PORT || (BENCH_SECRET ?? '').length < 32) {
  throw new Error('set BENCH_DATABASE, BENCH_CITIES, BENCH_PORT and BENCH_SECRET')
}

const db = new Database(BENCH_DATABASE, { fileMustExist: true })
// The same durability and the same page cache as EISHRO's connections.
db.pragma('journal_mode = WAL')
db.pragma('synchronous = FULL')
db.pragma('foreign_keys = ON')
db.pragma('trusted_schema = OFF')
db.pragma('cache_size = -32000')
db.pragma('journal_size_limit = 64000000')

const cities = JSON.parse(readFileSync(BENCH_CITIES, 'utf8'))
const catalogue = openCatalogue(db)
const orders = openOrders(db, cities, BENCH_SECRET)
const validateOrder = openValidation(cities)

const app = new Hono()

app.get('/health/live', (c) => c.json({ success: true, data: { status: 'ok' } }))

app.get('/api/products/:id', (c) => sendPublic(c, JSON.stringify(catalogue.product(c.req.param('id')))))

app.get('/api/stores/:store/products', (c) => {
  const { products, pagination } = catalogue.products(c.req.param('store'), c.req.query())
  return sendPublic(c, JSON.stringify(products), `,"pagination":${JSON.stringify(pagination)}`)
})

app.post('/api/stores/:store/orders', async (c) => {
  const key = c.req.header('Idempotency-Key')
  if (key !== undefined && !IDEMPOTENCY_KEY.test(key)) throw new Refusal(400, 'BAD_REQUEST')
  const text = await readBody(c)
  const requestId = requestIdOf(c)
  const language = languageOf(c)
  const answer = orders.place({
    store: c.req.param('store'),
    path: c.req.path,
    text,
    order: validateOrder(text),
    key,
    language,
    requestId,
    address: getConnInfo(c).remote.address ?? '',
  })
  const headers = headersOf(requestId)
  if (answer.replayed) headers['Idempotent-Replayed'] = 'true'
  return c.body(answer.body, answer.status, headers)
})

app.notFound((c) => refuse(c, new Refusal(404, 'NOT_FOUND')))

app.onError((error, c) => {
  if (error instanceof Refusal) return refuse(c, error)
  console.error(error)
  return c.body(errorBody('INTERNAL_ERROR', FAULT[languageOf(c)]), 500, headersOf(requestIdOf(c)))
})

// A public read: the tag covers the data alone, the envelope's time is spliced in around it.
function sendPublic(c, data, page = '') {
  const headers = headersOf(requestIdOf(c))
  const tag = `"${hash('sha1', data, 'base64url')}"`
  headers.ETag = tag
  headers['Cache-Control'] = 'no-cache'
  headers.Vary = 'Accept-Language, Authorization'
  const seen = c.req.header('If-None-Match')
  if (seen !== undefined && matches(seen, tag)) return c.body(null, 304, headers)
  const message = JSON.stringify(DONE[languageOf(c)])
  const at = new Date().toISOString()
  return c.body(
    `{"success":true,"data":${data}${page},"message":${message},"timestamp":"${at}"}`,
    200,
    headers,
  )
}

function refuse(c, refusal) {
  const body = errorBody(refusal.code, refusal.words[languageOf(c)], refusal.details)
  return c.body(body, refusal.status, headersOf(requestIdOf(c)))
}

function errorBody(code, message, details) {
  const timestamp = new Date().toISOString()
  return JSON.stringify({ success: false, error: { code, message, details }, timestamp })
}

async function readBody(c) {
  const sent = c.req.header('Content-Type')
  if (sent !== undefined && sent.split(';', 1)[0].trim().toLowerCase() !== 'application/json') {
    throw new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE')
  }
  if (Number(c.req.header('Content-Length') ?? 0) > BODY_BYTES_MAX) {
    throw new Refusal(413, 'PAYLOAD_TOO_LARGE')
  }
  const text = await c.req.text()
  if (text.length > BODY_BYTES_MAX) throw new Refusal(413, 'PAYLOAD_TOO_LARGE')
  return text
}

function headersOf(requestId) {
  return {
    'Content-Type': 'application/json',
    'X-Request-ID': requestId,
    'X-Content-Type-Options': 'nosniff',
  }
}

function requestIdOf(c) {
  const shown = c.req.header('X-Request-ID')
  return shown !== undefined && REQUEST_ID.test(shown) ? shown : textId('req', Date.now())
}

function languageOf(c) {
  return c.req.header('Accept-Language')?.slice(0, 2).toLowerCase() === 'ar' ? 'ar' : 'en'
}

function matches(header, tag) {
  return header.split(',').some((part) => {
    const shown = part.trim().replace(/^W\//, '')
    return shown === tag || shown === '*'
  })
}

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(BENCH_PORT) })

process.on('SIGTERM', () => {
  server.close(() => {
    db.close()
    process.exit(0)
  })
  server.closeAllConnections()
})
