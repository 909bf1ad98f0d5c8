// The order's body: checked by hand, every fault named by its path, unknown members refused,
// nothing coerced. Phones become E.164 (Libyan mobile numbers only), cities become codes.

import { invalid, Refusal } from './errors.mjs'

const LINES_MAX = 100
const QUANTITY_MAX = 10_000
const CONTROL = /[\u0000-\u001f\u007f]/
const EMAIL = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$/
const LIBYAN_MOBILE = /^(?:\+218|00218|218)?0?(9[1-6][0-9]{7})$/

export function openValidation(cities) {
  const codes = new Map()
  for (const city of cities) {
    for (const name of [city.code, city.nameAr, city.nameEn]) codes.set(cityKey(name), city.code)
  }

  return function validateOrder(text) {
    let body
    try {
      body = JSON.parse(text)
    } catch {
      throw new Refusal(400, 'BAD_REQUEST')
    }
    if (!isObject(body)) throw new Refusal(400, 'BAD_REQUEST')
    const faults = {}
    const order = readOrder(body, codes, faults)
    if (Object.keys(faults).length > 0) throw invalid(faults)
    return order
  }
}

function readOrder(body, codes, faults) {
  known(body, '', ['items', 'customer', 'shipping', 'payment', 'notes'], faults)
  const customer = member(body, 'customer', ['name', 'phone', 'email'], faults)
  const shipping = member(body, 'shipping', ['city', 'address', 'area', 'notes', 'method'], faults)
  const payment = member(body, 'payment', ['method'], faults)
  return {
    items: readItems(body.items, faults),
    customerName: readText(customer.name, 'customer.name', 1, 120, faults)?.trim(),
    customerPhone: readPhone(customer.phone, 'customer.phone', faults),
    customerEmail: readEmail(customer.email, 'customer.email', faults),
    city: readCity(shipping.city, 'shipping.city', codes, faults),
    address: readText(shipping.address, 'shipping.address', 1, 300, faults),
    area: readOptional(shipping.area, 'shipping.area', 200, faults),
    shippingNotes: readOptional(shipping.notes, 'shipping.notes', 1000, faults),
    shippingMethod: readMethod(shipping.method, 'shipping.method', faults),
    paymentMethod: readText(payment.method, 'payment.method', 0, 200, faults),
    notes: readOptional(body.notes, 'notes', 1000, faults),
  }
}

function readItems(items, faults) {
  if (!Array.isArray(items) || items.length < 1 || items.length > LINES_MAX) {
    faults.items = `must be a list of 1 to ${LINES_MAX} items`
    return []
  }
  return items.map((item, position) => {
    const path = `items[${position}]`
    if (!isObject(item)) {
      faults[path] = 'must be an object'
      return {}
    }
    known(item, `${path}.`, ['productId', 'variantId', 'quantity'], faults)
    const id = Number.MAX_SAFE_INTEGER
    const variantId = item.variantId ?? null
    return {
      productId: readInteger(item.productId, `${path}.productId`, id, faults),
      variantId: variantId && readInteger(variantId, `${path}.variantId`, id, faults),
      quantity: readInteger(item.quantity, `${path}.quantity`, QUANTITY_MAX, faults),
    }
  })
}

function member(body, name, members, faults) {
  const value = body[name]
  if (!isObject(value)) {
    faults[name] = 'must be an object'
    return {}
  }
  known(value, `${name}.`, members, faults)
  return value
}

function known(value, prefix, members, faults) {
  for (const name of Object.keys(value)) {
    if (!members.includes(name)) faults[prefix + name] = 'is not a member of this object'
  }
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

function readInteger(value, path, max, faults) {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  faults[path] = `must be a whole number from 1 to ${max}`
}

function readText(value, path, min, max, faults) {
  if (
    typeof value === 'string' &&
    value.length >= min &&
    value.length <= max &&
    !CONTROL.test(value) &&
    (min === 0 || value.trim() !== '')
  ) {
    return value
  }
  faults[path] = `must be text of ${min} to ${max} characters`
}

function readOptional(value, path, max, faults) {
  return value === undefined || value === null ? null : readText(value, path, 0, max, faults)
}

function readPhone(value, path, faults) {
  if (typeof value === 'string' && value.length <= 40) {
    const found = LIBYAN_MOBILE.exec(foldDigits(value).replace(/[^0-9+]/g, ''))
    if (found !== null) return `+218${found[1]}`
  }
  faults[path] = 'must be a phone number such as 0912345678'
}

function readEmail(value, path, faults) {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && value.length <= 254 && EMAIL.test(value.trim())) {
    return value.trim().toLowerCase()
  }
  faults[path] = 'must be an e-mail address'
}

function readCity(value, path, codes, faults) {
  const code =
    typeof value === 'string' && value.length <= 60 ? codes.get(cityKey(value)) : undefined
  if (code === undefined) faults[path] = 'must be a Libyan city from /api/locations/cities'
  return code
}

function readMethod(value, path, faults) {
  if (value === undefined || value === 'standard') return 'standard'
  faults[path] = "must be 'standard'"
}

const foldDigits = (text) =>
  text.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) & 15))

function cityKey(name) {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\u064b-\u0652\u0640]/g, '')
    .replace(/[أإآ]/g, 'ا')
    .replace(/ة/g, 'ه')
    .replace(/[ىئ]/g, 'ي')
    .replace(/[^\p{L}\p{N}]+/gu, '')
    .replace(/^ال(?=..)/, '')
}
