/**
 * UDP datagrams of a program on a host, for datagrams.ts: sends numbered ones to an address, or hears those
 * of a port, and reports as lines of JSON. Run as `node datagrams-child.ts ORDER`.
 */
import { createSocket } from 'node:dgram'

export type DatagramOrder =
  | {
      readonly kind: 'send'
      /** Own address, by which the interface is chosen. */
      readonly from: string
      readonly to: string
      readonly port: number
      readonly count: number
      readonly bytes: number
      readonly intervalMillis: number
    }
  | {
      readonly kind: 'hear'
      /** Own address, by which the interface is chosen. */
      readonly at: string
      readonly port: number
      /** A group to be in. */
      readonly group: string | undefined
    }

const order = JSON.parse(process.argv[2] as string) as DatagramOrder
const socket = createSocket({ type: 'udp4', reuseAddr: true })

function report(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

if (order.kind === 'hear') {
  const { at, port, group } = order
  const numbers: number[] = []
  socket.on('message', (message) => {
    numbers.push(message.readUInt32BE(0))
  })
  socket.bind(port, () => {
    if (group !== undefined) socket.addMembership(group, at)
    report({ ready: true })
  })
  // Its owner says when it has heard enough.
  process.stdin.on('data', () => report({ numbers }))
  process.stdin.on('end', () => socket.close())
} else {
  const { from, to, port, count, bytes, intervalMillis } = order
  socket.bind(0, from, () => {
    socket.setBroadcast(true)
    socket.setMulticastInterface(from)
    socket.setMulticastTTL(4)
    let number = 0
    const timer = setInterval(() => {
      const message = Buffer.alloc(bytes)
      message.writeUInt32BE(number, 0)
      number += 1
      if (number < count) {
        socket.send(message, port, to)
        return
      }
      clearInterval(timer)
      socket.send(message, port, to, () => socket.close())
    }, intervalMillis)
  })
}
