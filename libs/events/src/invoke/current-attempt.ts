import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import type { Attempt } from './attempt.js';

/** The attempt whose handler a call comes from: also in what the handler has left running when it returned. */
@Injectable()
export class CurrentAttempt extends AsyncLocalStorage<Attempt> {}
