import { Inject, Injectable } from '@nestjs/common';
import { HandlerExplorer } from '../discovery/handler.explorer.js';
import { HandlerRegistry } from '../discovery/handler.registry.js';
import { EventsNode } from '../dispatch/events-node.service.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { describePolicies } from './describe-policies.js';
import { EventsLogger } from './events-logger.js';

/** Finds the handlers at boot, and tells the operator what runs here, on what, and what looks like a mistake. */
@Injectable()
export class BootReport {
  private readonly logger = new EventsLogger('EventsModule');

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    private readonly explorer: HandlerExplorer,
    private readonly handlers: HandlerRegistry,
    private readonly node: EventsNode,
  ) {}

  /** @throws InvalidOptionError, DuplicateHandlerError and others that name the class and method at fault. */
  explore(): void {
    const { definitions, warnings } = this.explorer.explore();
    this.handlers.register(definitions);
    for (const warning of warnings) this.logger.warn(warning);
  }

  print(): void {
    const { handlers, scheduler, concurrency } = this.options;
    if (!handlers) {
      this.logger.log('this node only publishes (handlers: false)', { handlers: [] });
      return;
    }
    const node = { node: this.node.id, concurrency, scheduler };
    this.logger.log(`node ${node.node} runs up to ${concurrency} deliveries at once, ${scheduler} scheduler`, node);
    for (const { name, patterns, options } of this.handlers.all()) {
      const { text, fields } = describePolicies(options);
      this.logger.log(`${name} handles ${patterns.join(', ')}: ${text}`, { handler: name, patterns, ...fields });
    }
    // A turn later: of an application context the hooks can only be enabled once it has started.
    setImmediate(() => this.warnOfNoShutdownHooks());
  }

  private warnOfNoShutdownHooks(): void {
    if (process.listenerCount('SIGTERM') > 0) return;
    this.logger.warn(
      'nobody listens for SIGTERM, so it will end this process without a drain; call app.enableShutdownHooks()',
      { node: this.node.id },
    );
  }
}
