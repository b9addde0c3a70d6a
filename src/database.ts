/**
 * The typed face of Postgres: the catalogue, sales and their adjustments, and every order that was paid. None of it
 * is on the way of a customer's request while a sale runs.
 */
import type { PutItem } from './contract.js'
import { saleSnapshot } from './database/audit.js'
import { certifySale, exportCertificate, type ItemResult } from './database/certificates.js'
import { adjust, adjustmentsNotInRedis, deleteAdjustment, keepAdjustmentInStore, markAdjustmentInRedis, type RequestedAdjustment } from './database/adjustments.js'
import { countDeadOrders, type DeadOrder, deadOrders, retryDeadOrder } from './database/dead.js'
import { findItem, putItem } from './database/items.js'
import { knownPayment, order, unheardOf } from './database/orders.js'
import { persist } from './database/persist.js'
import { openPool, reaching } from './database/pool.js'
import { recoverableSale, runningSales } from './database/recovery.js'
import { anySale, createSale, markClosed, markPublished, setSaleEnd, setSalePaused, unclosedSales, unpublishedSales } from './database/sales.js'
import type { OutboxEntry } from './outbox.js'
import type { PlannedSale } from './sale.js'

export type { RequestedAdjustment, StoredAdjustment } from './database/adjustments.js'
export type { DeadOrder } from './database/dead.js'
export type { StoredOrder } from './database/orders.js'
export type { Persisted } from './database/persist.js'
export { DatabaseUnavailable } from './database/pool.js'

export type Database = ReturnType<typeof openDatabase>

/**
 * Connects when first used. Every call throws `DatabaseUnavailable` while Postgres is away, within seconds.
 * @param onError told of connections that broke while nothing ran on them
 */
export function openDatabase(databaseUrl: string, onError: (error: Error) => void = () => {}) {
  const pool = openPool(databaseUrl, onError)
  return {
    putItem: (sku: string, body: PutItem) => reaching(putItem(pool, sku, body)),
    item: (sku: string) => reaching(findItem(pool, sku)),

    createSale: (plan: PlannedSale) => reaching(createSale(pool, plan)),
    unpublishedSales: () => reaching(unpublishedSales(pool)),
    markPublished: (saleId: string, startsAtMs: number) => reaching(markPublished(pool, saleId, startsAtMs)),
    setSaleEnd: (saleId: string, endsAtMs: number) => reaching(setSaleEnd(pool, saleId, endsAtMs)),
    setSalePaused: (saleId: string, paused: boolean) => reaching(setSalePaused(pool, saleId, paused)),
    markClosed: (saleId: string) => reaching(markClosed(pool, saleId)),
    unclosedSales: () => reaching(unclosedSales(pool)),
    recoverableSale: (saleId: string) => reaching(recoverableSale(pool, saleId)),
    runningSales: () => reaching(runningSales(pool)),
    anySale: () => reaching(anySale(pool)),

    adjust: (request: RequestedAdjustment) => reaching(adjust(pool, request)),
    markAdjustmentInRedis: (adjustmentId: string) => reaching(markAdjustmentInRedis(pool, adjustmentId)),
    keepAdjustmentInStore: (adjustmentId: string) => reaching(keepAdjustmentInStore(pool, adjustmentId)),
    deleteAdjustment: (adjustmentId: string) => reaching(deleteAdjustment(pool, adjustmentId)),
    adjustmentsNotInRedis: () => reaching(adjustmentsNotInRedis(pool)),

    persist: (entries: readonly OutboxEntry[]) => reaching(persist(pool, entries)),
    order: (orderId: string) => reaching(order(pool, orderId)),
    knownPayment: (paymentId: string) => reaching(knownPayment(pool, paymentId)),
    unheardOf: (paymentIds: readonly string[]) => reaching(unheardOf(pool, paymentIds)),

    certifySale: (saleId: string, results: readonly ItemResult[]) => reaching(certifySale(pool, saleId, results)),
    exportCertificate: (saleId: string, write: (line: string) => void) => reaching(exportCertificate(pool, saleId, write)),

    deadOrders: () => reaching(deadOrders(pool)),
    countDeadOrders: () => reaching(countDeadOrders(pool)),
    retryDeadOrder: (dead: Pick<DeadOrder, 'saleId' | 'outboxId'>, readAgain: Parameters<typeof retryDeadOrder>[2]) =>
      reaching(retryDeadOrder(pool, dead, readAgain)),
    saleSnapshot: (saleId: string, lastEntry: string, orderIds: readonly string[]) => reaching(saleSnapshot(pool, saleId, lastEntry, orderIds)),

    close: () => pool.end(),
  }
}
