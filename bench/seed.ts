/**
 * Paid orders straight into Postgres, as persisting them would have left it (src/database/write.ts): a sale that is long under
 * way, without the time that it takes to sell it.
 */
import { formatId, type IdKind, newLocalId } from '../src/ids.js'
import { mustBe } from './figures.js'
import { price } from './shop.js'
import type { Stage } from './stage.js'

export interface PaidSale {
  readonly orders: number
  readonly lines: number
  /** Units sold by sku. */
  readonly units: ReadonlyMap<string, number>
}

/** When the first of them was paid, in Unix milliseconds; one a millisecond follows. */
const firstPaidAtMs = 1_732_412_345_000

const customer = {
  name: 'Zoë Example',
  email: 'zoe@example.com',
  address: { line1: '1 Main Street', city: 'Köln', postalCode: '50667', country: 'DE' },
}

/** A line of one to three units an order, every fourth with one more of another item, in a table of the transaction's own. */
const seedLines = `
  create temporary table seed_line on commit drop as
  select number, 0 as position, skus[1 + number % cardinality(skus)] as sku, 1 + number % 3 as quantity
    from generate_series(0, $1::integer - 1) as number, (select $2::text[] as skus) as sale
  union all
  select number, 1, skus[1 + (number + 7) % cardinality(skus)], 1
    from generate_series(0, $1::integer - 1, 4) as number, (select $2::text[] as skus) as sale`

const seedOrders = `
  create temporary table seed_order on commit drop as
  select number, order_id, cart_id, payment_id, total, ms, ms || '-0' as outbox_id
    from unnest($1::text[], $2::text[], $3::text[]) with ordinality as ids (order_id, cart_id, payment_id, place)
    join (select number, sum(quantity * $4::bigint)::bigint as total, $5::bigint + number as ms from seed_line group by number) as totals
      on number = place - 1`

const insertOrders = `
  insert into orders (order_id, sale_id, cart_id, status, total_amount, currency, customer_name, customer_email,
                      customer_address, payment_id, outbox_id, paid_at, created_at)
  select order_id, $1, cart_id, 'paid', total, $2, $3, $4, $5::jsonb, payment_id, outbox_id,
         to_timestamp(ms / 1000.0), to_timestamp((ms - 1000) / 1000.0)
    from seed_order order by number`

const insertPayments = `
  insert into payments (payment_id, order_id, amount, currency, status)
  select payment_id, order_id, total, $1, 'succeeded' from seed_order order by number`

const insertLines = `
  insert into order_lines (order_id, sku, position, name, quantity, unit_amount)
  select order_id, sku, seed_line.position, sale_items.name, quantity, $2
    from seed_order join seed_line using (number) join sale_items using (sku) where sale_id = $1 order by number, seed_line.position`

const insertMovements = `
  insert into stock_movements (sku, sale_id, order_id, delta, reason)
  select sku, $1, order_id, -quantity, 'sold' from seed_order join seed_line using (number) order by number, position`

/** The words of src/ledger.ts, with the counters of every item right after its entry: nothing is held in the meantime. */
const insertLedger = `
  insert into sale_ledger (sale_id, outbox_id, line)
  select $1, outbox_id,
         format('{"kind":"sold","id":"%s","order":"%s","amount":%s,"items":[%s]}',
                outbox_id, encode(sha256(convert_to(order_id, 'UTF8')), 'hex'), total, items)
    from seed_order
    join (select number, string_agg(
                   format('{"sku":"%s","units":%s,"allocation":%s,"available":%s,"held":0,"sold":%s}', sku, quantity, allocation, allocation - sold_then, sold_then),
                   ',' order by position) as items
            from (select seed_line.*, allocation, sum(quantity) over (partition by sku order by number) as sold_then
                    from seed_line join sale_items using (sku) where sale_id = $1) as counted
           group by number) as counters using (number)
   order by number`

const changeQuantities = `
  update items set quantity = quantity - change.units
    from (select sku, sum(quantity) as units from seed_line group by sku) as change where items.sku = change.sku`

const changeSaleItems = `
  update sale_items set sold = sold + change.units
    from (select sku, sum(quantity) as units from seed_line group by sku) as change
   where sale_id = $1 and sale_items.sku = change.sku`

/** Sells so many orders of a sale that has sold nothing yet. */
export async function seedPaidOrders({ postgres }: Stage, saleId: string, skus: readonly string[], orders: number): Promise<PaidSale> {
  const locals = Array.from({ length: orders }, newLocalId)
  const ids = (kind: IdKind, its: readonly string[]) => its.map((local) => formatId(kind, { saleId, shard: 0 }, 1, local))
  const { amount, currency } = price
  const client = await postgres.connect()
  try {
    await client.query('begin')
    await client.query(seedLines, [orders, skus])
    await client.query(seedOrders, [ids('o', locals), ids('c', locals), ids('p', Array.from({ length: orders }, newLocalId)), amount, firstPaidAtMs])
    await client.query(insertOrders, [saleId, currency, customer.name, customer.email, JSON.stringify(customer.address)])
    await client.query(insertPayments, [currency])
    await client.query(insertLines, [saleId, amount])
    await client.query(insertMovements, [saleId])
    await client.query(insertLedger, [saleId])
    await client.query(changeQuantities)
    await client.query(changeSaleItems, [saleId])
    const { rows } = await client.query<{ sku: string; units: string; lines: string }>(
      'select sku, sum(quantity) as units, count(*) as lines from seed_line group by sku')
    await client.query('commit')
    // As a database that has sold for minutes has been looked at already.
    await client.query('analyze')
    mustBe('items that sold', rows.length, skus.length)
    return { orders, lines: rows.reduce((sum, row) => sum + Number(row.lines), 0), units: new Map(rows.map((row) => [row.sku, Number(row.units)])) }
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}
