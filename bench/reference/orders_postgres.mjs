// Placing an order in PostgreSQL: the same rows, in one transaction an order. Statements that
// decide (key, store, prices, holds) are awaited; like rows go in one statement; the inserts at
// the end, which nothing waits for, are sent together. Holds guard the price's version, and go in
// the order of variants, so that two orders of the same goods wait instead of deadlocking.

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

export function openOrders(sql, cities, secret) {
  const cityOf = new Map(cities.map((city) => [city.code, city]))
  const keys = keysOf(secret)

  function place(request) {
    return sql.begin(async (tx) => {
      const { order, key, language } = request
      const now = Date.now()
      const at = now * 1000
      const { scope, fingerprint } = claimOf(request)
      const [[stored], [store]] = await Promise.all([
        key === undefined ? [] : findKey(tx, scope, key, at),
        findStore(tx, request.store),
      ])
      if (stored !== undefined) return replay(stored, fingerprint, keys.seal)
      if (store === undefined) throw notFound()
      const [offers, [guard], [held]] = await Promise.all([
        listOffers(tx, productIdsOf(order), store.id),
        findGuard(tx, order.customerPhone),
        countHeld(tx, order.customerPhone),
      ])
      guardHolds(held, order)
      const basket = price(store, order, offers)
      const row = orderRow(store, order, basket, now)
      const body = answerBody(row, basket, cityOf, keys.token, language, at)
      if (key !== undefined) {
        const sealed = seal(keys.seal, body)
        await claim(tx, [scope, key, fingerprint, 201, sealed, 1, at + KEPT_MICROS], at)
      }
      await moveGuard(tx, order.customerPhone, guard?.version ?? 0)
      await holdStock(tx, row, basket)
      await write(tx, row, basket, at, request)
      return { status: 201, body, replayed: false }
    })
  }

  return { place }
}

const findKey = (tx, scope, key, at) => tx`SELECT fingerprint, status, body
  FROM idempotency_keys WHERE scope = ${scope} AND key = ${key} AND expires_at > ${at}`

const findStore = (tx, text) =>
  DIGITS.test(text)
    ? tx`SELECT id, settings FROM stores WHERE is_active = 1 AND id = ${Number(text)}`
    : tx`SELECT id, settings FROM stores WHERE is_active = 1 AND slug = ${text}`

const listOffers = (tx, productIds, storeId) => tx`SELECT v.id AS variant_id, v.product_id,
    p.name, v.options, v.sku, coalesce(v.price_dirhams, p.price_dirhams) AS unit_price,
    s.available, p.version, coalesce(v.weight_grams, p.weight_grams, 0) AS weight_grams
  FROM products p JOIN variants v ON v.product_id = p.id
    JOIN stock s ON s.variant_id = v.id
  WHERE p.id = ANY(${productIds}::bigint[]) AND p.store_id = ${storeId}
    AND p.status = 'active' AND p.sells = 1 AND v.is_active = 1
  ORDER BY v.position, v.id`

const findGuard = (tx, phone) => tx`SELECT version FROM buyer_guards
  WHERE subject = ${'phone:' + phone}`

const countHeld = (tx, phone) => tx`SELECT count(DISTINCT o.id) AS orders,
    coalesce(sum(l.quantity), 0) AS pieces
  FROM orders o JOIN order_lines l ON l.order_id = o.id
  WHERE o.customer_phone = ${phone} AND o.status = 'pending'
    AND o.payment_status IN ('pending', 'failed')`

// Two orders of one phone at once would each count too few.
async function moveGuard(tx, phone, seen) {
  const moved = await tx`INSERT INTO buyer_guards (subject, version) VALUES (${'phone:' + phone}, 1)
    ON CONFLICT (subject) DO UPDATE SET version = buyer_guards.version + 1
    WHERE buyer_guards.version = ${seen}`
  if (moved.count !== 1) throw new Refusal(409, 'CONFLICT')
}

async function claim(tx, values, at) {
  const [scope, key, fingerprint, status, body, isSealed, expiresAt] = values
  // A key that has run out makes room for the new one.
  const done = await tx`INSERT INTO idempotency_keys
      (scope, key, fingerprint, status, body, is_sealed, expires_at)
    VALUES (${scope}, ${key}, ${fingerprint}, ${status}, ${body}, ${isSealed}, ${expiresAt})
    ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint,
      status = excluded.status, body = excluded.body, expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= ${at}`
  if (done.count !== 1) throw new Refusal(422, 'IDEMPOTENCY_KEY_REUSED')
}

async function holdStock(tx, row, { lines }) {
  const sorted = [...lines].sort((one, other) => one.offer.variant_id - other.offer.variant_id)
  for (const { offer, quantity } of sorted) {
    const held = await tx`UPDATE stock SET available = available - ${quantity},
        held = held + ${quantity}
      WHERE variant_id = ${offer.variant_id} AND store_id = ${row.store_id}
        AND (available IS NULL OR available >= ${quantity})
        AND EXISTS (SELECT 1 FROM products
          WHERE id = stock.product_id AND version = ${offer.version})`
    if (held.count !== 1) throw new Refusal(409, 'OUT_OF_STOCK')
  }
}

async function write(tx, row, basket, at, { requestId, address }) {
  const { lines } = basket
  const now = at / 1000
  const store_id = row.store_id
  const transaction_id = textId('trn', now)
  const entries = openingOf(row).map(([account, dirhams], position) => {
    const reason = 'order.placed'
    return { transaction_id, position, store_id, account, dirhams, reason, order_id: row.id, at }
  })
  const changes = JSON.stringify({ number: row.number })
  const history = textId('his', now)
  // An order's row first: its lines and history refer to it.
  await Promise.all([
    insertOrder(tx, row),
    tx`INSERT INTO order_lines ${tx(lineRows(row, lines))}`,
    tx`INSERT INTO order_traces (order_id, store_id, trace)
      VALUES (${row.id}, ${store_id}, ${traceOf(row, basket, at)})`,
    tx`INSERT INTO stock_movements ${tx(movementRows(row, lines, at))}`,
    tx`INSERT INTO order_history (order_id, id, store_id, event, status, actor, at)
      VALUES (${row.id}, ${history}, ${store_id}, 'order.placed', ${row.status}, 'guest', ${at})`,
    tx`INSERT INTO ledger_entries ${tx(entries)}`,
    tx`INSERT INTO outbox (id, store_id, topic, subject_id, payload, created_at, next_try_at,
        tries, is_dead)
      VALUES (${textId('evt', now)}, ${store_id}, 'order.placed', ${row.id}, '{}', ${at}, ${at},
        0, 0)`,
    tx`INSERT INTO audit_records
      (id, store_id, actor, action, subject_id, changes, request_id, address, at)
      VALUES (${textId('aud', now)}, ${store_id}, 'guest', 'order.placed', ${row.id}, ${changes},
        ${requestId}, ${address}, ${at})`,
  ])
}

const lineRows = (row, lines) =>
  lines.map(({ offer, quantity, total }, position) => ({
    order_id: row.id,
    position,
    store_id: row.store_id,
    product_id: offer.product_id,
    variant_id: offer.variant_id,
    name: offer.name,
    options: offer.options,
    sku: offer.sku,
    unit_price_dirhams: offer.unit_price,
    quantity,
    total_dirhams: total,
    weight_grams: offer.weight_grams,
  }))

const movementRows = (row, lines, at) =>
  lines.map(({ offer, quantity }) => ({
    subject_id: row.id,
    variant_id: offer.variant_id,
    kind: 'hold',
    store_id: row.store_id,
    quantity,
    at,
  }))

const insertOrder = (tx, row) => {
  const { subtotal, discount, shipping, total, ...columns } = row
  const values = {
    ...columns,
    subtotal_dirhams: subtotal,
    discount_dirhams: discount,
    shipping_dirhams: shipping,
    total_dirhams: total,
    updated_at: row.created_at,
    version: 1,
  }
  return tx`INSERT INTO orders ${tx(values)}`
}
