// The HTTP side that every reference shares, whatever framework and runtime carry it: envelope,
// headers, ETag and If-None-Match, limits, the optional cache, refusals. Requests come in as
// `ask` = { header(name), address, path, url }, answers go out as { status, headers, body }.

import { hash } from 'node:crypto'
import { openCache } from './cache.mjs'
import { Refusal } from './errors.mjs'
import { textId } from './ids.mjs'
import { openLimits } from './limits.mjs'

export const BODY_BYTES_MAX = 1_000_000
const REQUEST_ID = /^[A-Za-z0-9_.:-]{8,100}$/
const IDEMPOTENCY_KEY = /^[!-~]{1,200}$/
const DONE = { en: 'Done.', ar: 'تم.' }
const FAULT = { en: 'Something went wrong on our side.', ar: 'حدث خطأ من جانبنا.' }

// `cacheSeconds` 0 keeps nothing. With PostgreSQL, catalogue and orders give promises.
export function openDoor({ catalogue, orders, validateOrder, rate, cacheSeconds }) {
  const limits = openLimits(rate)
  const cache = cacheSeconds > 0 ? openCache(cacheSeconds) : undefined

  function read(ask, find) {
    const counted = limits.count(ask.address)
    const kept = cache?.find(ask.url)
    if (kept !== undefined) return answerRead(ask, kept, counted)
    return following(find(), ({ data, pagination }) => {
      const text = JSON.stringify(data)
      const page = pagination === undefined ? '' : `,"pagination":${JSON.stringify(pagination)}`
      // The tag covers the data alone: the envelope's time is spliced in around it.
      const made = { text, page, tag: `"${hash('sha1', text, 'base64url')}"` }
      cache?.keep(ask.url, made)
      return answerRead(ask, made, counted)
    })
  }

  function answerRead(ask, { text, page, tag }, counted) {
    const headers = headersOf(requestIdOf(ask))
    headers.ETag = tag
    headers['Cache-Control'] = 'no-cache'
    headers.Vary = 'Accept-Language, Authorization'
    const seen = ask.header('if-none-match')
    if (seen !== undefined && matches(seen, tag)) {
      limits.uncount(ask.address)
      return { status: 304, headers, body: null }
    }
    Object.assign(headers, counted)
    const message = JSON.stringify(DONE[languageOf(ask)])
    const at = new Date().toISOString()
    const body = `{"success":true,"data":${text}${page},"message":${message},"timestamp":"${at}"}`
    return { status: 200, headers, body }
  }

  function place(ask, store, text) {
    const counted = limits.count(ask.address)
    const key = ask.header('idempotency-key')
    if (key !== undefined && !IDEMPOTENCY_KEY.test(key)) throw new Refusal(400, 'BAD_REQUEST')
    const requestId = requestIdOf(ask)
    const { path, address } = ask
    const order = validateOrder(text)
    const language = languageOf(ask)
    const placed = orders.place({ store, path, text, order, key, language, requestId, address })
    return following(placed, ({ status, body, replayed }) => {
      const headers = Object.assign(headersOf(requestId), counted)
      if (replayed) headers['Idempotent-Replayed'] = 'true'
      return { status, headers, body }
    })
  }

  return {
    product: (ask, id) => read(ask, () => following(catalogue.product(id), (data) => ({ data }))),
    products: (ask, store, query) =>
      read(ask, () =>
        following(catalogue.products(store, query), ({ products, pagination }) => ({
          data: products,
          pagination,
        })),
      ),
    place,
    refuse,
  }
}

// The error shape; what is no refusal is a fault, said without its reason.
export function refuse(ask, error) {
  const headers = headersOf(requestIdOf(ask))
  const language = languageOf(ask)
  if (error instanceof Refusal) {
    const body = errorBody(error.code, error.words[language], error.details)
    return { status: error.status, headers, body }
  }
  console.error(error)
  return { status: 500, headers, body: errorBody('INTERNAL_ERROR', FAULT[language]) }
}

// Refuses what is not JSON or is too large, before the body is read.
export function checkBody(ask) {
  const sent = ask.header('content-type')
  if (sent !== undefined && sent.split(';', 1)[0].trim().toLowerCase() !== 'application/json') {
    throw new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE')
  }
  if (Number(ask.header('content-length') ?? 0) > BODY_BYTES_MAX) {
    throw new Refusal(413, 'PAYLOAD_TOO_LARGE')
  }
}

// SQLite answers at once, PostgreSQL later; only the latter should cost a promise.
const following = (value, next) => (value instanceof Promise ? value.then(next) : next(value))

function errorBody(code, message, details) {
  const timestamp = new Date().toISOString()
  return JSON.stringify({ success: false, error: { code, message, details }, timestamp })
}

function headersOf(requestId) {
  return {
    'Content-Type': 'application/json',
    'X-Request-ID': requestId,
    'X-Content-Type-Options': 'nosniff',
  }
}

function requestIdOf(ask) {
  const shown = ask.header('x-request-id')
  return shown !== undefined && REQUEST_ID.test(shown) ? shown : textId('req', Date.now())
}

function languageOf(ask) {
  return ask.header('accept-language')?.slice(0, 2).toLowerCase() === 'ar' ? 'ar' : 'en'
}

function matches(header, tag) {
  return header.split(',').some((part) => {
    const shown = part.trim().replace(/^W\//, '')
    return shown === tag || shown === '*'
  })
}
