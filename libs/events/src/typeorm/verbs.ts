import type { AppendRequest, AppendResult, FanOutRequest, FanOutResult } from '../store/inbox.store.js';
import type { ClaimRequest, StageResult } from '../store/delivery.store.js';
import type { ClaimedDelivery, Lease, Settlement } from '../store/records.js';
import type { Dialect } from './dialect.js';
import { appendPostgres } from './sql/append.postgres.js';
import { appendSqlite } from './sql/append.sqlite.js';
import { claimPostgres } from './sql/claim.postgres.js';
import { claimSqlite } from './sql/claim.sqlite.js';
import { fanOutPostgres } from './sql/fan-out.postgres.js';
import { fanOutSqlite } from './sql/fan-out.sqlite.js';
import { lostLeasesPostgres } from './sql/lost-leases.postgres.js';
import { lostLeasesSqlite } from './sql/lost-leases.sqlite.js';
import { settlePostgres } from './sql/settle.postgres.js';
import { settleSqlite } from './sql/settle.sqlite.js';
import { stagePostgres } from './sql/stage.postgres.js';
import { stageSqlite } from './sql/stage.sqlite.js';
import { backlog } from './sql/backlog.js';
import { beat } from './sql/beat.js';
import { cancel } from './sql/cancel.js';
import { countDeadLetters } from './sql/count-dead-letters.js';
import { discard } from './sql/discard.js';
import { findDeliveries } from './sql/find-deliveries.js';
import { findEvent } from './sql/find-event.js';
import { listDeadLetters } from './sql/list-dead-letters.js';
import { listNodes } from './sql/list-nodes.js';
import { loadRegistry } from './sql/load-registry.js';
import { payload } from './sql/payload.js';
import { ping } from './sql/ping.js';
import { prune } from './sql/prune.js';
import { redrive } from './sql/redrive.js';
import { registerHandlers } from './sql/register-handlers.js';
import { registerNode } from './sql/register-node.js';
import { removeNode } from './sql/remove-node.js';
import { rescueOrphans } from './sql/rescue-orphans.js';
import type { SqliteVerb } from './verb.js';

/** Verbs that each database does in its own way. */
interface NativeVerbs {
  append(request: AppendRequest): SqliteVerb<AppendResult>;
  fanOut(request: FanOutRequest): SqliteVerb<FanOutResult>;
  stage(now: number, limit: number): SqliteVerb<StageResult>;
  claim(request: ClaimRequest): SqliteVerb<ClaimedDelivery[] | null>;
  settle(node: number, settlements: readonly Settlement[], now: number): SqliteVerb<boolean[]>;
  lostLeases(node: number, leases: readonly Lease[]): SqliteVerb<number[]>;
}

const native: Record<Dialect['type'], (d: Dialect) => NativeVerbs> = {
  postgres: ({ tables: t }) => ({
    append: appendPostgres(t),
    fanOut: fanOutPostgres(t),
    stage: stagePostgres(t),
    claim: claimPostgres(t),
    settle: settlePostgres(t),
    lostLeases: lostLeasesPostgres(t),
  }),
  'better-sqlite3': ({ tables: t }) => ({
    append: appendSqlite(t),
    fanOut: fanOutSqlite(t),
    stage: stageSqlite(t),
    claim: claimSqlite(t),
    settle: settleSqlite(t),
    lostLeases: lostLeasesSqlite(t),
  }),
};

/** All verbs of a store, their SQL made once. */
export function verbs(d: Dialect) {
  return {
    ...native[d.type](d),
    backlog: backlog(d),
    beat: beat(d),
    cancel: cancel(d),
    countDeadLetters: countDeadLetters(d),
    discard: discard(d),
    findDeliveries: findDeliveries(d),
    findEvent: findEvent(d),
    listDeadLetters: listDeadLetters(d),
    listNodes: listNodes(d),
    loadRegistry: loadRegistry(d),
    payload: payload(d),
    ping: ping(d),
    prune: prune(d),
    redrive: redrive(d),
    registerHandlers: registerHandlers(d),
    registerNode: registerNode(d),
    removeNode: removeNode(d),
    rescueOrphans: rescueOrphans(d),
  };
}

export type Verbs = ReturnType<typeof verbs>;
