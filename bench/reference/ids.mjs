// Text ids in EISHRO's form: a prefix and 26 characters, milliseconds first, then 80 random bits;
// and codes for people. Random bytes are drawn from the system in large portions.

import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const READABLE = '23456789BCDFGHJKMNPQRSTVWXZ'
const READABLE_FAIR = 256 - (256 % READABLE.length)

const pool = Buffer.allocUnsafe(8192)
let used = pool.length
let timeOf = -1
let timeText = ''

export function textId(prefix, milliseconds) {
  let id = `${prefix}_${encodeTime(milliseconds)}`
  for (let i = 0; i < 16; i++) id += ALPHABET[randomByte() & 31]
  return id
}

export function readableCode(length) {
  let code = ''
  while (code.length < length) {
    const byte = randomByte()
    if (byte < READABLE_FAIR) code += READABLE[byte % READABLE.length]
  }
  return code
}

function encodeTime(milliseconds) {
  if (milliseconds !== timeOf) {
    let rest = milliseconds
    let text = ''
    for (let i = 0; i < 10; i++) {
      text = ALPHABET[rest % 32] + text
      rest = Math.floor(rest / 32)
    }
    timeOf = milliseconds
    timeText = text
  }
  return timeText
}

function randomByte() {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return pool[used++]
}
