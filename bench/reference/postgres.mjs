// The connections of the PostgreSQL reference. postgres.js prepares every statement once a
// connection and sends those that are not awaited one by one in one go.

import postgres from 'postgres'

const CONNECTIONS = 20 // as many as EISHRO's pool opens

export function openPostgres(url) {
  return postgres(url, {
    max: CONNECTIONS,
    connection: { application_name: 'reference' },
    onnotice: () => {},
    // Every whole number here is below 2^53.
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  })
}
