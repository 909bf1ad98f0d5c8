// Placing an order in SQLite: the same rows that an order means in EISHRO, in one transaction that
// is committed with synchronous=FULL before the answer is sent. Both SQLite bindings are
// synchronous, so reads and writes of one order share one transaction and need no version guards.

import {
  answerBody,
  claimOf,
  guardHolds,
  KEPT_MICROS,
  keysOf,
  openingOf,
  orderRow,
  price,
  productIdsOf,
  replay,
  seal,
  traceOf,
} from './basket.mjs'
import { notFound, Refusal } from './errors.mjs'
import { textId } from './ids.mjs'
import { DIGITS } from './views.mjs'

export function openOrders(db, cities, secret) {
  const cityOf = new Map(cities.map((city) => [city.code, city]))
  const keys = keysOf(secret)
  const sql = prepare(db)

  const placeOnce = db.transaction((request) => {
    const { order, key, language } = request
    const now = Date.now()
    const at = now * 1000
    const { scope, fingerprint } = claimOf(request)
    if (key !== undefined) {
      const stored = sql.findKey.get(scope, key, at)
      if (stored !== undefined) return replay(stored, fingerprint, keys.seal)
    }
    const store = DIGITS.test(request.store)
      ? sql.storeById.get(Number(request.store))
      : sql.storeBySlug.get(request.store)
    if (store === undefined) throw notFound()
    const offers = sql.offers.all(JSON.stringify(productIdsOf(order)), store.id)
    const basket = price(store, order, offers)
    guardHolds(sql.held.get(order.customerPhone), order)
    const row = orderRow(store, order, basket, now)
    const body = answerBody(row, basket, cityOf, keys.token, language, at)
    if (key !== undefined) {
      sql.claim.run(scope, key, fingerprint, 201, seal(keys.seal, body), 1, at + KEPT_MICROS)
    }
    write(sql, row, basket, at, request)
    return { status: 201, body, replayed: false }
  })

  return { place: (request) => placeOnce(request) }
}

function prepare(db) {
  const store = 'SELECT id, settings FROM stores WHERE is_active = 1 AND'
  return {
    storeById: db.prepare(`${store} id = ?`),
    storeBySlug: db.prepare(`${store} slug = ?`),
    offers: db.prepare(`SELECT v.id AS variant_id, v.product_id, p.name, v.options, v.sku,
        coalesce(v.price_dirhams, p.price_dirhams) AS unit_price, s.available,
        coalesce(v.weight_grams, p.weight_grams, 0) AS weight_grams
      FROM products p JOIN variants v ON v.product_id = p.id
        JOIN stock s ON s.variant_id = v.id
      WHERE p.id IN (SELECT value FROM json_each(?)) AND p.store_id = ?
        AND p.status = 'active' AND p.sells = 1 AND v.is_active = 1
      ORDER BY v.position, v.id`),
    held: db.prepare(`SELECT count(DISTINCT o.id) AS orders, coalesce(sum(l.quantity), 0) AS pieces
      FROM orders o JOIN order_lines l ON l.order_id = o.id
      WHERE o.customer_phone = ? AND o.status = 'pending'
        AND o.payment_status IN ('pending', 'failed')`),
    // One transaction at a time: the guard's version is kept, and guards nothing here.
    guard: db.prepare(`INSERT INTO buyer_guards (subject, version) VALUES ('phone:' || ?, 1)
      ON CONFLICT (subject) DO UPDATE SET version = version + 1`),
    findKey: db.prepare(`SELECT fingerprint, status, body FROM idempotency_keys
      WHERE scope = ? AND key = ? AND expires_at > ?`),
    // A key that has run out makes room for the new one.
    claim: db.prepare(`INSERT OR REPLACE INTO idempotency_keys
      (scope, key, fingerprint, status, body, is_sealed, expires_at)
      VALUES (?, ?, ?, ?, ?, ?, ?)`),
    hold: db.prepare(`UPDATE stock SET available = available - @quantity, held = held + @quantity
      WHERE variant_id = @variant AND store_id = @store
        AND (available IS NULL OR available >= @quantity)`),
    move: db.prepare(`INSERT INTO stock_movements
      (subject_id, variant_id, kind, store_id, quantity, at)
      VALUES (?, ?, 'hold', ?, ?, ?)`),
    order: db.prepare(`INSERT INTO orders (id, store_id, number, customer_user_id, status,
        payment_status, fulfilment_status, customer_name, customer_phone, customer_email,
        city_code, area, address, shipping_notes, shipping_method, payment_method, notes,
        subtotal_dirhams, discount_dirhams, shipping_dirhams, total_dirhams, weight_grams,
        expires_at, created_at, updated_at, version)
      VALUES (@id, @store_id, @number, NULL, @status,
        @payment_status, @fulfilment_status, @customer_name, @customer_phone, @customer_email,
        @city_code, @area, @address, @shipping_notes, @shipping_method, @payment_method, @notes,
        @subtotal, @discount, @shipping, @total, @weight_grams,
        @expires_at, @created_at, @created_at, 1)`),
    line: db.prepare(`INSERT INTO order_lines (order_id, position, store_id, product_id,
        variant_id, name, options, sku, unit_price_dirhams, quantity, total_dirhams,
        weight_grams)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    trace: db.prepare('INSERT INTO order_traces (order_id, store_id, trace) VALUES (?, ?, ?)'),
    history: db.prepare(`INSERT INTO order_history
      (order_id, id, store_id, event, status, actor, note, at)
      VALUES (?, ?, ?, ?, ?, ?, NULL, ?)`),
    entry: db.prepare(`INSERT INTO ledger_entries (transaction_id, position, store_id, account,
        dirhams, reason, order_id, payment_id, at)
      VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)`),
    publish: db.prepare(`INSERT INTO outbox (id, store_id, topic, subject_id, payload,
        created_at, next_try_at, tries, is_dead, last_error)
      VALUES (?, ?, ?, ?, '{}', ?, ?, 0, 0, NULL)`),
    audit: db.prepare(`INSERT INTO audit_records (id, store_id, actor, action, subject_id,
        changes, request_id, address, at)
      VALUES (?, ?, 'guest', ?, ?, ?, ?, ?, ?)`),
  }
}

function write(sql, row, basket, at, request) {
  const now = at / 1000
  for (const { offer, quantity } of basket.lines) {
    const held = sql.hold.run({ variant: offer.variant_id, store: row.store_id, quantity })
    if (held !== 1) throw new Refusal(409, 'OUT_OF_STOCK')
    sql.move.run(row.id, offer.variant_id, row.store_id, quantity, at)
  }
  sql.order.run(row)
  basket.lines.forEach(({ offer, quantity, total }, position) => {
    sql.line.run(
      row.id,
      position,
      row.store_id,
      offer.product_id,
      offer.variant_id,
      offer.name,
      offer.options,
      offer.sku,
      offer.unit_price,
      quantity,
      total,
      offer.weight_grams,
    )
  })
  sql.trace.run(row.id, row.store_id, traceOf(row, basket, at))
  sql.guard.run(row.customer_phone)
  sql.history.run(row.id, textId('his', now), row.store_id, 'order.placed', row.status, 'guest', at)
  const transaction = textId('trn', now)
  openingOf(row).forEach(([account, dirhams], position) => {
    sql.entry.run(transaction, position, row.store_id, account, dirhams, 'order.placed', row.id, at)
  })
  sql.publish.run(textId('evt', now), row.store_id, 'order.placed', row.id, at, at)
  const changes = JSON.stringify({ number: row.number })
  const { requestId, address } = request
  const record = textId('aud', now)
  sql.audit.run(record, row.store_id, 'order.placed', row.id, changes, requestId, address, at)
}
