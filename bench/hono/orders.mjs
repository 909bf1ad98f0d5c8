// Placing an order: the same rows that an order means in EISHRO, in one transaction that is
// committed with synchronous=FULL before the answer is sent. better-sqlite3 is synchronous, so
// reads and writes of one order share one transaction and need no version guards.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
} from 'node:crypto'
import { instant } from './catalogue.mjs'
import { invalid, notFound, Refusal } from './errors.mjs'
import { readableCode, textId } from './ids.mjs'

const METHODS = ['moamalat', 'cod']
const EXPIRY_MICROS = 60 * 60 * 1_000_000
const KEPT_MICROS = 24 * 60 * 60 * 1_000_000
const DIRHAMS_MAX = 1_000_000_000_000
const PLACED = { en: 'Your order is placed.', ar: 'تم تسجيل طلبك.' }

export function openOrders(db, cities, secret) {
  const cityOf = new Map(cities.map((city) => [city.code, city]))
  const tokenKey = Buffer.from(hkdfSync('sha256', secret, '', 'order-token', 32))
  const sealKey = Buffer.from(hkdfSync('sha256', secret, '', 'idempotency', 32))
  const sql = prepare(db)

  const placeOnce = db.transaction((request) => {
    const { order, key, language } = request
    const now = Date.now()
    const at = now * 1000
    const scope = `guest POST ${request.path}`
    const fingerprint = hash('sha256', request.text)
    if (key !== undefined) {
      const stored = sql.findKey.get(scope, key, at)
      if (stored !== undefined) {
        if (stored.fingerprint !== fingerprint) throw new Refusal(422, 'IDEMPOTENCY_KEY_REUSED')
        return { status: stored.status, body: open(sealKey, stored.body), replayed: true }
      }
    }
    const store = /^[0-9]{1,15}$/.test(request.store)
      ? sql.storeById.get(Number(request.store))
      : sql.storeBySlug.get(request.store)
    if (store === undefined) throw notFound()
    const basket = price(sql, store, order)
    const row = orderRow(store, order, basket, now)
    const body = answerBody(row, basket, cityOf, tokenKey, language, at)
    if (key !== undefined) {
      const sealed = seal(sealKey, body)
      sql.claim.run(scope, key, fingerprint, 201, sealed, 1, at + KEPT_MICROS)
    }
    write(sql, row, basket, at, request)
    return { status: 201, body, replayed: false }
  })

  return { place: (request) => placeOnce.immediate(request) }
}

function prepare(db) {
  const store = 'SELECT id, settings FROM stores WHERE is_active = 1 AND'
  return {
    storeById: db.prepare(`${store} id = ?`),
    storeBySlug: db.prepare(`${store} slug = ?`),
    offers: db.prepare(`SELECT v.id AS variant_id, v.product_id, p.name, v.options, v.sku,
        coalesce(v.price_dirhams, p.price_dirhams) AS unit_price, s.available
      FROM products p JOIN variants v ON v.product_id = p.id
        JOIN stock s ON s.variant_id = v.id
      WHERE p.id IN (SELECT value FROM json_each(?)) AND p.store_id = ?
        AND p.status = 'active' AND p.sells = 1 AND v.is_active = 1
      ORDER BY v.position, v.id`),
    findKey: db.prepare(`SELECT fingerprint, status, body FROM idempotency_keys
      WHERE scope = ? AND key = ? AND expires_at > ?`),
    // A key that has run out makes room for the new one.
    claim: db.prepare('INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?)'),
    hold: db.prepare(`UPDATE stock SET available = available - @quantity, held = held + @quantity
      WHERE variant_id = @variant AND store_id = @store
        AND (available IS NULL OR available >= @quantity)`),
    move: db.prepare(`INSERT INTO stock_movements VALUES (?, ?, ?, ?, 'hold', ?, ?)`),
    order: db.prepare(`INSERT INTO orders VALUES (@id, @store_id, @number, NULL, @status,
      @payment_status, @fulfilment_status, @customer_name, @customer_phone, @customer_email,
      @city_code, @area, @address, @shipping_notes, @shipping_method, @payment_method, @notes,
      @subtotal, @discount, @shipping, @total, @expires_at, @created_at, @created_at, 1)`),
    line: db.prepare('INSERT INTO order_lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    history: db.prepare('INSERT INTO order_history VALUES (?, ?, ?, ?, ?, ?, NULL, ?)'),
    entry: db.prepare('INSERT INTO ledger_entries VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)'),
    publish: db.prepare(`INSERT INTO outbox VALUES (?, ?, ?, ?, '{}', ?, ?, 0, 0, NULL)`),
    audit: db.prepare(`INSERT INTO audit_records VALUES (?, ?, 'guest', ?, ?, ?, ?, ?, ?)`),
  }
}

function price(sql, store, order) {
  const settings = JSON.parse(store.settings)
  const offered = settings.payment_methods?.length ? settings.payment_methods : METHODS
  if (!METHODS.includes(order.paymentMethod) || !offered.includes(order.paymentMethod)) {
    throw invalid({ 'payment.method': 'is not offered by this store' })
  }
  const products = [...new Set(order.items.map((item) => item.productId))]
  const offers = sql.offers.all(JSON.stringify(products), store.id)
  const lines = match(order.items, offers)
  const short = lines.filter(
    ({ offer, quantity }) => offer.available !== null && offer.available < quantity,
  )
  if (short.length > 0) {
    const items = short.map(({ offer }) => ({
      productId: offer.product_id,
      variantId: offer.variant_id,
    }))
    throw new Refusal(409, 'OUT_OF_STOCK', { items })
  }
  const subtotal = lines.reduce((sum, line) => sum + line.total, 0)
  const threshold = settings.free_shipping_above_dirhams ?? null
  const free = threshold !== null && subtotal >= threshold
  const shipping = free ? 0 : (settings.shipping_rate_dirhams ?? 10_000)
  if (subtotal + shipping > DIRHAMS_MAX) throw invalid({ items: 'The total is too large.' })
  return { lines, subtotal, discount: 0, shipping, total: subtotal + shipping }
}

function match(items, offers) {
  const faults = {}
  const taken = new Set()
  const lines = []
  items.forEach((item, position) => {
    const found = offers.filter((offer) => offer.product_id === item.productId)
    const offer =
      item.variantId === null
        ? found.length === 1 && found[0]
        : found.find((one) => one.variant_id === item.variantId)
    if (found.length === 0) {
      faults[`items[${position}].productId`] = 'This product is not sold here.'
    } else if (!offer) {
      faults[`items[${position}].variantId`] = 'Choose a variant of this product.'
    } else if (taken.has(offer.variant_id)) {
      faults[`items[${position}].variantId`] = 'This variant is in the order already.'
    } else {
      taken.add(offer.variant_id)
      lines.push({ offer, quantity: item.quantity, total: offer.unit_price * item.quantity })
    }
  })
  if (Object.keys(faults).length > 0) throw invalid(faults)
  return lines
}

function orderRow(store, order, basket, now) {
  return {
    id: textId('ord', now),
    store_id: store.id,
    number: readableCode(8),
    status: 'pending',
    payment_status: 'pending',
    fulfilment_status: 'unfulfilled',
    customer_name: order.customerName,
    customer_phone: order.customerPhone,
    customer_email: order.customerEmail,
    city_code: order.city,
    area: order.area,
    address: order.address,
    shipping_notes: order.shippingNotes,
    shipping_method: order.shippingMethod,
    payment_method: order.paymentMethod,
    notes: order.notes,
    subtotal: basket.subtotal,
    discount: basket.discount,
    shipping: basket.shipping,
    total: basket.total,
    expires_at: order.paymentMethod === 'cod' ? null : now * 1000 + EXPIRY_MICROS,
    created_at: now * 1000,
  }
}

function write(sql, row, basket, at, request) {
  const now = at / 1000
  for (const { offer, quantity } of basket.lines) {
    const held = sql.hold.run({ variant: offer.variant_id, store: row.store_id, quantity })
    if (held.changes !== 1) throw new Refusal(409, 'OUT_OF_STOCK')
    sql.move.run(textId('mov', now), row.store_id, offer.variant_id, row.id, quantity, at)
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
    )
  })
  sql.history.run(row.id, textId('his', now), row.store_id, 'order.placed', row.status, 'guest', at)
  post(sql, row, at)
  sql.publish.run(textId('evt', now), row.store_id, 'order.placed', row.id, at, at)
  const changes = JSON.stringify({ number: row.number })
  const { requestId, address } = request
  const record = textId('aud', now)
  sql.audit.run(record, row.store_id, 'order.placed', row.id, changes, requestId, address, at)
}

function post(sql, row, at) {
  const transaction = textId('trn', at / 1000)
  const entries = [
    ['receivable', row.total],
    ['sales', -(row.subtotal - row.discount)],
    ['delivery', -row.shipping],
  ]
  entries.forEach(([account, dirhams], position) => {
    if (dirhams === 0) return
    sql.entry.run(transaction, position, row.store_id, account, dirhams, 'order.placed', row.id, at)
  })
}

function answerBody(row, basket, cityOf, tokenKey, language, at) {
  const created = instant(at)
  const { code, nameAr, nameEn } = cityOf.get(row.city_code)
  const data = {
    id: row.id,
    number: row.number,
    storeId: row.store_id,
    status: row.status,
    paymentStatus: row.payment_status,
    fulfilmentStatus: row.fulfilment_status,
    items: basket.lines.map(({ offer, quantity, total }) => ({
      productId: offer.product_id,
      variantId: offer.variant_id,
      name: offer.name,
      options: JSON.parse(offer.options),
      sku: offer.sku,
      unitPrice: offer.unit_price / 1000,
      quantity,
      total: total / 1000,
    })),
    subtotal: row.subtotal / 1000,
    discount: row.discount / 1000,
    shippingCost: row.shipping / 1000,
    total: row.total / 1000,
    currency: 'LYD',
    customer: { name: row.customer_name, phone: row.customer_phone, email: row.customer_email },
    shipping: {
      city: nameAr,
      cityCode: code,
      cityEn: nameEn,
      area: row.area,
      address: row.address,
      notes: row.shipping_notes,
      method: row.shipping_method,
    },
    payment: { method: row.payment_method, status: row.payment_status, id: null },
    notes: row.notes,
    history: [
      { event: 'order.placed', status: row.status, actor: 'guest', note: null, at: created },
    ],
    expiresAt: row.expires_at === null ? null : instant(row.expires_at),
    createdAt: created,
    updatedAt: created,
    accessToken: createHmac('sha256', tokenKey).update(row.id).digest('base64url').slice(0, 22),
  }
  return JSON.stringify({ success: true, data, message: PLACED[language], timestamp: created })
}

function seal(key, text) {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url')
}

function open(key, sealed) {
  const raw = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, raw.subarray(0, 12))
  decipher.setAuthTag(raw.subarray(-16))
  return Buffer.concat([decipher.update(raw.subarray(12, -16)), decipher.final()]).toString('utf8')
}
