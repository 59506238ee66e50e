import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { EventsModuleOptions } from './events.options.interface.js';

/** Injection token of the resolved options. */
export const EVENTS_OPTIONS = Symbol('nestjs-durable-events:options');

export const {
  ConfigurableModuleClass,
  /** Token of the options as the application gave them. */
  MODULE_OPTIONS_TOKEN: EVENTS_MODULE_OPTIONS,
  OPTIONS_TYPE: EVENTS_OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE: EVENTS_ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<EventsModuleOptions>({
  optionsInjectionToken: Symbol('nestjs-durable-events:module-options'),
})
  .setClassMethodName('forRoot')
  .setExtras<{ isGlobal?: boolean }>({ isGlobal: true }, (definition, { isGlobal }) => ({
    ...definition,
    global: isGlobal,
  }))
  .build();
