// What public answers look like, whatever database the rows came from: views of products and
// pages, and the reading of a list's query.

import { invalid } from './errors.mjs'

export const DIGITS = /^[0-9]{1,15}$/
export const ORDERS = {
  '-createdAt': 'p.id DESC',
  price: 'p.price_dirhams, p.id',
  '-price': 'p.price_dirhams DESC, p.id DESC',
  name: 'p.name, p.id',
}
const NONE = []

// A page of products with the rows that belong to each, and where the page stands.
export function pageView(rows, variantRows, categoryRows, total, { page, limit, sort }) {
  const variants = byProduct(variantRows)
  const categories = byProduct(categoryRows)
  const pagination = { page, limit, total, totalPages: Math.ceil(total / limit) }
  if (rows.length === limit && sort === '-createdAt') {
    pagination.nextCursor = String(rows[rows.length - 1].id)
  }
  const products = rows.map((row) =>
    view(
      row,
      variants.get(row.id) ?? NONE,
      (categories.get(row.id) ?? NONE).map(categoryView),
    ),
  )
  return { products, pagination }
}

function byProduct(rows) {
  const grouped = new Map()
  for (const row of rows) {
    const found = grouped.get(row.product_id)
    if (found === undefined) grouped.set(row.product_id, [row])
    else found.push(row)
  }
  return grouped
}

const categoryView = (row) => ({
  id: row.id,
  slug: row.slug,
  name: row.name,
  nameEn: row.name_en,
})

export function view(row, variantRows, categories) {
  let inStock = false
  const variants = variantRows.map((v) => {
    const available = row.sells === 1 && (v.available === null || v.available > 0)
    inStock ||= available
    return {
      id: v.id,
      sku: v.sku,
      options: JSON.parse(v.options),
      price: (v.price_dirhams ?? row.price_dirhams) / 1000,
      available,
      weightGrams: v.weight_grams ?? row.weight_grams,
    }
  })
  return {
    id: row.id,
    storeId: row.store_id,
    name: row.name,
    nameEn: row.name_en,
    description: row.description,
    descriptionEn: row.description_en,
    price: row.price_dirhams / 1000,
    compareAtPrice: row.compare_at_dirhams === null ? null : row.compare_at_dirhams / 1000,
    currency: 'LYD',
    category: categories.length > 0 ? categories[0].name : null,
    categories,
    images: JSON.parse(row.images),
    sizes: JSON.parse(row.sizes),
    colors: JSON.parse(row.colors),
    inStock,
    status: row.status,
    weightGrams: row.weight_grams,
    variants,
    createdAt: instant(row.created_at),
    updatedAt: instant(row.updated_at),
  }
}

export const instant = (micros) => new Date(micros / 1000).toISOString()

export function readQuery(query) {
  const faults = {}
  const page = integer(query.page ?? '1', 100_000)
  const limit = integer(query.limit ?? '20', 100)
  const sort = query.sort ?? '-createdAt'
  if (page === undefined) faults.page = 'must be a number from 1 to 100000'
  if (limit === undefined) faults.limit = 'must be a number from 1 to 100'
  if (!Object.hasOwn(ORDERS, sort)) faults.sort = `must be one of ${Object.keys(ORDERS).join(', ')}`
  if (Object.keys(faults).length > 0) throw invalid(faults)
  return { page, limit, sort }
}

function integer(text, max) {
  const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= max ? value : undefined
}
