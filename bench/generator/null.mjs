// A server that does nothing: the same answer to every request, whatever it asks. What the
// generator measures against it is the generator's own part. Arguments: port, bytes of the body.

import { createServer } from 'node:net'

const [port, bytes] = process.argv.slice(2).map(Number)
const answer =
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n` +
  'x'.repeat(bytes)

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {})
  // Requests here fit one packet, and each connection has one under way.
  socket.on('data', () => socket.write(answer, 'latin1'))
})
server.listen(port, '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
