// One keep-alive connection over a plain socket: one request at a time, and just enough of
// HTTP/1.1 to know the status and the end of an answer. Every server here sends Content-Length.

import { connect } from 'node:net'

const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = /\r\ncontent-length: *(\d+)/i
const CHUNK_BYTES = 65_536

export class Connection {
  // `onAnswer(connection, status)` is called for each answer, with 0 where the connection broke.
  constructor(port, onAnswer) {
    this.port = port
    this.onAnswer = onAnswer
    this.intended = 0
    this.open()
  }

  open() {
    this.head = null
    this.status = 0
    this.left = 0
    this.busy = false
    const onread = {
      buffer: Buffer.allocUnsafe(CHUNK_BYTES),
      callback: (length, buffer) => {
        this.take(buffer, length)
        return true
      },
    }
    const socket = connect({ host: '127.0.0.1', port: this.port, noDelay: true, onread })
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      if (socket !== this.socket || this.ended) return
      const failed = this.busy
      this.open()
      if (failed) this.onAnswer(this, 0)
    })
  }

  send(text, intended) {
    this.busy = true
    this.intended = intended
    this.socket.write(text)
  }

  end() {
    this.ended = true
    this.socket.destroy()
  }

  take(buffer, length) {
    if (!this.busy) return this.socket.destroy() // an answer that nobody asked for
    if (this.left > 0) {
      this.left -= length
    } else {
      const seen =
        this.head === null
          ? buffer.subarray(0, length)
          : Buffer.concat([this.head, buffer.subarray(0, length)])
      const end = seen.indexOf(HEAD_END)
      if (end < 0) {
        this.head = Buffer.from(seen) // the chunk's memory is used again
        return
      }
      this.head = null
      const head = seen.latin1Slice(0, end)
      this.status = Number(head.slice(9, 12))
      const found = LENGTH.exec(head)
      if (found === null && this.status !== 304 && this.status !== 204) {
        return this.socket.destroy() // no length: this answer cannot be followed
      }
      const bodiless = this.status === 304 || this.status === 204
      const whole = end + HEAD_END.length + (bodiless ? 0 : Number(found[1]))
      this.left = whole - seen.length
    }
    if (this.left < 0) return this.socket.destroy()
    if (this.left === 0) {
      this.busy = false
      this.onAnswer(this, this.status)
    }
  }
}
