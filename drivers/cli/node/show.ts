/** Verbs that read a running node: `status`, `peers`, `topology`, `logs`, `health`. */
import type { IncomingMessage } from 'node:http'
import type { NodeStatus } from '../../node/views.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Given, Verb } from '../flags.ts'
import { clientOf, NODE_FLAGS, show } from './line.ts'
import { dropLines, peerLines, statusLines, treeDot, treeLines } from './status-lines.ts'

async function statusOf(given: Given): Promise<NodeStatus> {
  return (await (await clientOf(given)).get('/v1/status')) as NodeStatus
}

export const statusVerb: Verb = {
  words: ['status'],
  describe: 'Show the node: VLANs, interfaces, neighbours and how they are reached',
  flags: {
    ...NODE_FLAGS,
    drops: { kind: 'switch', describe: 'Also what was refused or dropped, by reason' },
  },
  run: async (given) => {
    const status = await statusOf(given)
    return show(given, status, [...statusLines(status), ...(given.on('drops') ? dropLines(status) : [])])
  },
}

export const peersVerb: Verb = {
  words: ['peers'],
  describe: 'Show the neighbours in the mesh: role, path, latency, loss, traffic',
  flags: NODE_FLAGS,
  run: async (given) => {
    const status = await statusOf(given)
    const { links, trunks, names, passivePeers } = status
    return show(given, { links, trunks, names, passivePeers }, peerLines(status))
  },
}

export const topologyVerb: Verb = {
  words: ['topology'],
  describe: 'Show the place of this node in the mesh and its tree',
  flags: { ...NODE_FLAGS, dot: { kind: 'switch', describe: 'Print a graph for Graphviz' } },
  run: async (given) => {
    const status = await statusOf(given)
    const { self, names, trees, links } = status
    if (given.on('dot')) return show(given, { dot: treeDot(status).join('\n') }, treeDot(status))
    return show(given, { self, names, trees, links }, treeLines(status))
  },
}

export const logsVerb: Verb = {
  words: ['logs'],
  describe: 'Print what the node logged last, a line of JSON each',
  flags: {
    socket: NODE_FLAGS.socket,
    follow: { kind: 'switch', describe: 'Go on with what is logged from now on' },
  },
  run: async (given) =>
    pour(await (await clientOf(given)).stream(`/v1/logs?follow=${given.on('follow') ? 1 : 0}`)),
}

export const eventsVerb: Verb = {
  words: ['events'],
  describe: 'Print what happens in the node, a line of JSON each, until interrupted',
  flags: { socket: NODE_FLAGS.socket },
  run: async (given) => pour(await (await clientOf(given)).stream('/v1/events')),
}

async function pour(stream: IncomingMessage): Promise<ExitCode> {
  for await (const part of stream) process.stdout.write(part as Buffer)
  return EXIT.ok
}
