// What an order costs and how it is answered, whatever database it is written to. Pure, but for
// random ids and nonces.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
} from 'node:crypto'
import { invalid, Refusal } from './errors.mjs'
import { readableCode, textId } from './ids.mjs'
import { instant } from './views.mjs'

const METHODS = ['moamalat', 'cod']
const EXPIRY_MICROS = 60 * 60 * 1_000_000
const CONFIRMATION_MICROS = 48 * EXPIRY_MICROS // of an order to be paid at the door
export const HELD_MAX = { orders: 10, pieces: 200 } // unpaid, of one phone
export const KEPT_MICROS = 24 * 60 * 60 * 1_000_000
const DIRHAMS_MAX = 1_000_000_000_000
const PLACED = { en: 'Your order is placed.', ar: 'تم تسجيل طلبك.' }

// The keys that sign guests' tokens and seal stored answers.
export function keysOf(secret) {
  const derive = (purpose) => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
  return { token: derive('order-token'), seal: derive('idempotency') }
}

// What makes two requests under one key the same.
export const claimOf = ({ path, text }) => ({
  scope: `guest POST ${path}`,
  fingerprint: hash('sha256', text),
})

// The first answer again; refused where the key was used for another request.
export function replay(stored, fingerprint, sealKey) {
  if (stored.fingerprint !== fingerprint) throw new Refusal(422, 'IDEMPOTENCY_KEY_REUSED')
  return { status: stored.status, body: open(sealKey, stored.body), replayed: true }
}

// One phone may hold so much in unpaid orders, this one counted.
export function guardHolds(held, order) {
  const pieces = order.items.reduce((sum, item) => sum + item.quantity, Number(held.pieces))
  if (Number(held.orders) + 1 > HELD_MAX.orders || pieces > HELD_MAX.pieces) {
    throw new Refusal(409, 'TOO_MANY_OPEN_ORDERS')
  }
}

// What the amounts were made from and why, kept with the order.
export const traceOf = (row, basket, at) =>
  JSON.stringify({
    inputs: {
      items: basket.lines.map(({ offer, quantity }) => ({
        product_id: offer.product_id,
        variant_id: offer.variant_id,
        category_ids: [],
        unit_price_dirhams: offer.unit_price,
        quantity,
        weight_grams: offer.weight_grams,
      })),
      promotions: [],
      coupon: null,
      plan: basket.plan,
      city_code: row.city_code,
      method: row.shipping_method,
      is_cod: row.payment_method === 'cod',
      at: instant(at),
      manual_discount_dirhams: 0,
      shipping_override_dirhams: null,
    },
    steps: [
      { amount: 'shippingCost', reason: 'store_rate', dirhams: basket.shipping, facts: {} },
    ],
  })

export const productIdsOf = (order) => [...new Set(order.items.map((item) => item.productId))]

// The order's opening entries: account and dirhams, those of nothing left out.
export const openingOf = (row) =>
  [
    ['receivable', row.total],
    ['sales', -(row.subtotal - row.discount)],
    ['delivery', -row.shipping],
  ].filter(([, dirhams]) => dirhams !== 0)

export function price(store, order, offers) {
  const settings = JSON.parse(store.settings)
  const offered = settings.payment_methods?.length ? settings.payment_methods : METHODS
  if (!METHODS.includes(order.paymentMethod) || !offered.includes(order.paymentMethod)) {
    throw invalid({ 'payment.method': 'is not offered by this store' })
  }
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
  const weight = lines.reduce((sum, line) => sum + line.offer.weight_grams * line.quantity, 0)
  const fallback = { method: 'standard', dirhams: shipping, free_above_dirhams: threshold }
  const plan = {
    zones: [],
    fallback: {
      ...fallback,
      weight_steps: [],
      per_kilogram: null,
      cod_fee_dirhams: 0,
      is_cod_allowed: true,
      days_min: null,
      days_max: null,
    },
    pickup: null,
    cod_rounding_dirhams: 0,
  }
  return { lines, subtotal, discount: 0, shipping, total: subtotal + shipping, weight, plan }
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

export function orderRow(store, order, basket, now) {
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
    weight_grams: basket.weight,
    expires_at:
      now * 1000 + (order.paymentMethod === 'cod' ? CONFIRMATION_MICROS : EXPIRY_MICROS),
    created_at: now * 1000,
  }
}

export function answerBody(row, basket, cityOf, tokenKey, language, at) {
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
      discount: 0,
    })),
    subtotal: row.subtotal / 1000,
    discount: row.discount / 1000,
    shippingCost: row.shipping / 1000,
    total: row.total / 1000,
    refunded: 0,
    paid: 0,
    amountDue: row.total / 1000,
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
    couponCode: null,
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

export function seal(key, text) {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url')
}

export function open(key, sealed) {
  const raw = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, raw.subarray(0, 12))
  decipher.setAuthTag(raw.subarray(-16))
  return Buffer.concat([decipher.update(raw.subarray(12, -16)), decipher.final()]).toString('utf8')
}
