// A shop in TypeScript: pays over HTTP and over NATS, reads its answers durably, and keeps a receipt.
//
// ../README.md says what it needs: `npm ci && npm run build`, and the variables below.

import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { jetstream } from '@nats-io/jetstream'
import { connect, headers, type NatsConnection } from '@nats-io/transport-node'

function variable(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}
const url = variable('QUITTANCE_URL')
const clientId = variable('QUITTANCE_CLIENT_ID')
const secret = variable('QUITTANCE_CLIENT_SECRET')

interface Answer {
  request_seq: number
  payment_id?: string
  status?: string
}

/** The JSON that the bank answers. What went wrong is a problem document: its title and detail are for people. */
async function send<T>(path: string, init: RequestInit): Promise<T> {
  const answer = await fetch(url + path, { ...init, signal: AbortSignal.timeout(40_000) })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}

/** For HTTP or for messages. It lives five minutes. */
async function token(audience: 'quittance' | 'quittance-log'): Promise<string> {
  const pair = Buffer.from(`${clientId}:${secret}`).toString('base64')
  const body = new URLSearchParams({ grant_type: 'client_credentials', audience })
  const init = { method: 'POST', body, headers: { Authorization: `Basic ${pair}` } }
  return (await send<{ access_token: string }>('/auth/oauth2/token', init)).access_token
}

/** Make the id once for each order and keep it with the order: sent again under the same id, it pays once. */
const payment = (reference: string) => ({
  payment_id: randomUUID(),
  debtor_account: variable('QUITTANCE_DEBTOR'),
  creditor_account: variable('QUITTANCE_CREDITOR'),
  amount: '1.50',
  currency: 'EUR',
  reference,
})
type Payment = ReturnType<typeof payment>

/** Returns the number of the stored request. If no answer comes, send the same again: it pays once. */
async function payOverNats(nc: NatsConnection, order: Payment): Promise<number> {
  const head = headers()
  head.set('Authorization', `Bearer ${await token('quittance-log')}`)
  head.set('ce-id', order.payment_id)
  const subject = `request.payment.v1.${clientId}`
  const send = () => nc.request(subject, JSON.stringify(order), { headers: head, timeout: 10_000 })
  const stored = await send().catch(send)
  const ack = stored.json<{ seq: number; error?: { description: string } }>()
  if (ack.error) throw new Error(`refused: ${ack.error.description}`)
  return ack.seq
}

/** Handles each answer until the one to `seq`. The durable consumer keeps what nobody has acknowledged. */
async function read(nc: NatsConnection, seq: number, handle: (answer: Answer) => void): Promise<void> {
  const consumer = await jetstream(nc, { domain: 'quittance' }).consumers.get('SETTLEMENTS', clientId)
  const done = new Set<string>() // In your database, written in the transaction that ships the order.
  for (;;) {
    const message = await consumer.next({ expires: 10_000 })
    if (!message) throw new Error(`no answer to request ${seq} yet; it will come`)
    const answer = message.json<Answer>()
    // The same message may come again, and so may the same payment, as a duplicate.
    const key = `${answer.payment_id} ${answer.status}`
    if (!done.has(key)) handle(answer)
    done.add(key)
    // After the work is done, never before.
    message.ack()
    if (answer.request_seq === seq) return
  }
}

const authorization = { Authorization: `Bearer ${await token('quittance')}` }
const paid = await send<Answer>('/payment/payments', {
  method: 'POST',
  headers: { ...authorization, 'Content-Type': 'application/json', Prefer: 'wait=20' },
  body: JSON.stringify(payment('Order 1')),
})
console.log(`over HTTP: ${paid.status}, as request ${paid.request_seq}`)

const nc = await connect({
  servers: variable('QUITTANCE_NATS'),
  user: variable('QUITTANCE_NATS_USER'),
  pass: variable('QUITTANCE_NATS_PASSWORD'),
  inboxPrefix: `_INBOX_${clientId}`,
})
const seq = await payOverNats(nc, payment('Order 2'))
await read(nc, seq, (answer) => console.log(`answer ${answer.request_seq}: ${answer.status}`))
await nc.drain()

const receipt = await send<object>(`/bank/transactions/${seq}/receipt`, { headers: authorization })
await writeFile('receipt.json', JSON.stringify(receipt))
console.log('receipt.json proves it')
