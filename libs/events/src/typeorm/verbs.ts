import type { AppendRequest, AppendResult, FanOutRequest, FanOutResult } from '../store/inbox.store.js';
import type { ClaimRequest, StageResult } from '../store/delivery.store.js';
import type { TokenAnswer, TokenTake } from '../store/chain.store.js';
import type { TrialRequest } from '../store/handler.store.js';
import type { ClaimedDelivery, Lease, Settlement } from '../store/records.js';
import type { Dialect } from './dialect.js';
import type { Notice } from './postgres/wake-channel.js';
import { appendMysql } from './sql/append.mysql.js';
import { appendPostgres } from './sql/append.postgres.js';
import { appendSqlite } from './sql/append.sqlite.js';
import { claimMysql, leaseMysql } from './sql/claim.mysql.js';
import { claimPostgres, leasePostgres } from './sql/claim.postgres.js';
import { claimSqlite, leaseSqlite } from './sql/claim.sqlite.js';
import { fanOutMysql } from './sql/fan-out.mysql.js';
import { fanOutPostgres } from './sql/fan-out.postgres.js';
import { fanOutSqlite } from './sql/fan-out.sqlite.js';
import { lostLeasesMysql } from './sql/lost-leases.mysql.js';
import { lostLeasesPostgres } from './sql/lost-leases.postgres.js';
import { lostLeasesSqlite } from './sql/lost-leases.sqlite.js';
import { settleMysql } from './sql/settle.mysql.js';
import { settlePostgres } from './sql/settle.postgres.js';
import { settleSqlite } from './sql/settle.sqlite.js';
import { stageMysql } from './sql/stage.mysql.js';
import { stagePostgres } from './sql/stage.postgres.js';
import { stageSqlite } from './sql/stage.sqlite.js';
import { takeTokensMysql } from './sql/take-tokens.mysql.js';
import { takeTokensPostgres } from './sql/take-tokens.postgres.js';
import { takeTokensSqlite } from './sql/take-tokens.sqlite.js';
import { backlog } from './sql/backlog.js';
import { beat } from './sql/beat.js';
import { cancel } from './sql/cancel.js';
import { changeCircuit } from './sql/change-circuit.js';
import { claimKeys } from './sql/claim-keys.js';
import { claimTrials } from './sql/claim-trials.js';
import { countDeadLetters } from './sql/count-dead-letters.js';
import { countTrial } from './sql/count-trial.js';
import { discard } from './sql/discard.js';
import { expireRetired } from './sql/expire-retired.js';
import { findDeliveries } from './sql/find-deliveries.js';
import { findEvent } from './sql/find-event.js';
import { handlerStates } from './sql/handler-states.js';
import { heldLeases } from './sql/held-leases.js';
import { listDeadLetters } from './sql/list-dead-letters.js';
import { listHandlers } from './sql/list-handlers.js';
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
import { retire } from './sql/retire.js';
import { retireAbsent } from './sql/retire-absent.js';
import { setPaused } from './sql/set-paused.js';
import { touchHandlers } from './sql/touch-handlers.js';
import { unprocessed } from './sql/unprocessed.js';
import type { Tables } from './tables.js';
import type { SqliteVerb } from './verb.js';

/** Verbs that each database does in its own way. */
interface NativeVerbs {
  append(request: AppendRequest, notice?: Notice): SqliteVerb<AppendResult>;
  fanOut(request: FanOutRequest): SqliteVerb<FanOutResult>;
  stage(now: number, limit: number): SqliteVerb<StageResult>;
  claim(request: ClaimRequest): SqliteVerb<ClaimedDelivery[] | null>;
  settle(node: number, settlements: readonly Settlement[], now: number): SqliteVerb<boolean[]>;
  lostLeases(node: number, leases: readonly Lease[]): SqliteVerb<number[]>;
  claimTrials(request: TrialRequest): SqliteVerb<ClaimedDelivery[] | null>;
  takeTokens(takes: readonly TokenTake[], now: number): SqliteVerb<TokenAnswer[]>;
}

const native: Record<Dialect['type'], (d: Dialect, t: Tables) => NativeVerbs> = {
  postgres: (d, t) => ({
    append: appendPostgres(t),
    fanOut: fanOutPostgres(t),
    stage: stagePostgres(t),
    claim: claimPostgres(t),
    settle: settlePostgres(d),
    lostLeases: lostLeasesPostgres(t),
    claimTrials: claimTrials(d, leasePostgres(t)),
    takeTokens: takeTokensPostgres(t),
  }),
  'better-sqlite3': (d, t) => ({
    append: appendSqlite(t),
    fanOut: fanOutSqlite(t),
    stage: stageSqlite(t),
    claim: claimSqlite(t),
    settle: settleSqlite(d),
    lostLeases: lostLeasesSqlite(t),
    claimTrials: claimTrials(d, leaseSqlite(t)),
    takeTokens: takeTokensSqlite(t),
  }),
  mysql: (d, t) => ({
    append: appendMysql(t),
    fanOut: fanOutMysql(t),
    stage: stageMysql(t),
    claim: claimMysql(t),
    settle: settleMysql(d),
    lostLeases: lostLeasesMysql(t),
    claimTrials: claimTrials(d, leaseMysql(t)),
    takeTokens: takeTokensMysql(d),
  }),
};

/** All verbs of a store, their SQL made once. */
export function verbs(d: Dialect) {
  return {
    ...native[d.type](d, d.tables),
    ...prune(d),
    backlog: backlog(d),
    beat: beat(d),
    cancel: cancel(d),
    changeCircuit: changeCircuit(d),
    claimKeys: claimKeys(d),
    countDeadLetters: countDeadLetters(d),
    countTrial: countTrial(d),
    discard: discard(d),
    expireRetired: expireRetired(d),
    findDeliveries: findDeliveries(d),
    findEvent: findEvent(d),
    handlerStates: handlerStates(d),
    heldLeases: heldLeases(d),
    listDeadLetters: listDeadLetters(d),
    listHandlers: listHandlers(d),
    listNodes: listNodes(d),
    loadRegistry: loadRegistry(d),
    payload: payload(d),
    ping: ping(d),
    redrive: redrive(d),
    registerHandlers: registerHandlers(d),
    registerNode: registerNode(d),
    removeNode: removeNode(d),
    rescueOrphans: rescueOrphans(d),
    retire: retire(d),
    retireAbsent: retireAbsent(d),
    setPaused: setPaused(d),
    touchHandlers: touchHandlers(d),
    unprocessed: unprocessed(d),
  };
}

export type Verbs = ReturnType<typeof verbs>;
