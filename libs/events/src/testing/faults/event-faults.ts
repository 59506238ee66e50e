import { Injectable } from '@nestjs/common';
import { Clock } from '../../clock/clock.js';
import type { StoreStep } from '../../store/interruptible-store.js';
import type { Fault, FaultPoint } from './fault-point.js';

/** When a fault strikes. */
export interface FaultTiming {
  /** The how-manieth time from now that the point is passed; default the first. */
  on?: number | 'always';
}

/** A fault that was injected. */
export interface InjectedFault {
  /** How often it has struck. */
  readonly strikes: number;
  /** It strikes no more. */
  remove(): void;
}

interface Planned {
  readonly point: FaultPoint;
  readonly fault: Fault;
  readonly on: number | 'always';
  passed: number;
  strikes: number;
}

/** Injects crashes, errors and latency at named points of the engine. */
@Injectable()
export class EventFaults {
  private readonly planned = new Set<Planned>();
  private delayed = 0;
  private dead = false;
  private fallSilent: () => void = () => {};
  private die: () => void;
  /** Resolves when the node falls silent. */
  readonly silenced: Promise<void>;

  constructor(private readonly clock: Clock) {
    this.silenced = new Promise((resolve) => (this.fallSilent = resolve));
    this.die = () => {
      this.dead = true;
      this.fallSilent();
    };
  }

  inject(point: FaultPoint, fault: Fault, { on = 1 }: FaultTiming = {}): InjectedFault {
    const planned: Planned = { point, fault, on, passed: 0, strikes: 0 };
    this.planned.add(planned);
    return {
      get strikes() {
        return planned.strikes;
      },
      remove: () => void this.planned.delete(planned),
    };
  }

  /** Removes every fault. What it has done stays done. */
  clear(): void {
    this.planned.clear();
  }

  /** What a crash does. Default: the node falls silent, its store answers nothing any more. */
  onCrash(die: () => void): void {
    this.die = die;
  }

  /** The node has crashed, and is silent. */
  get silent(): boolean {
    return this.dead;
  }

  /** Strikes that are waiting for the clock. */
  get waiting(): number {
    return this.delayed;
  }

  /** For the parts that can be struck: passes a point. Resolves when its faults are over; never after a crash. */
  async pass(point: FaultPoint): Promise<void> {
    for (const fault of this.due(point)) {
      if ('error' in fault) throw fault.error;
      if ('latency' in fault) await this.delay(fault.latency);
      else await this.crash();
    }
  }

  /** The same inside a step, where nobody can wait. Answers for how many milliseconds the database is to pause. */
  passInside(step: StoreStep): number {
    let pauseMs = 0;
    for (const fault of this.due(`inside ${step}`)) {
      if ('error' in fault) throw fault.error;
      if ('latency' in fault) pauseMs += fault.latency;
      else this.die();
    }
    return pauseMs;
  }

  private due(point: FaultPoint): Fault[] {
    const due = [...this.planned].filter(
      (one) => one.point === point && (one.on === 'always' || ++one.passed === one.on),
    );
    for (const one of due) one.strikes++;
    return due.map(({ fault }) => fault);
  }

  private async delay(ms: number): Promise<void> {
    this.delayed++;
    await new Promise<void>((resolve) => this.clock.setTimeout(resolve, ms));
    this.delayed--;
  }

  private crash(): Promise<never> {
    this.die();
    return new Promise(() => {});
  }
}
