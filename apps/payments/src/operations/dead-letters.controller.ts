import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { DeadLetters } from 'nestjs-durable-events';
import {
  type DeadLetterList,
  deadLetterList,
  type DeadLetterRedrive,
  deadLetterRedrive,
} from './dead-letter-requests.js';

@Controller('dead-letters')
export class DeadLettersController {
  constructor(private readonly deadLetters: DeadLetters) {}

  /** Newest first; pass `next` of the answer as `after` to get the next page. */
  @Get()
  async list(@Query({ schema: deadLetterList }) { limit, after, ...filter }: DeadLetterList) {
    const { items, next } = await this.deadLetters.list(filter, { limit, after });
    return {
      items: items.map(({ event: { id, type, payload, occurredAt }, ...letter }) => ({
        ...letter,
        event: { id, type, payload, occurredAt },
      })),
      ...(next !== undefined && { next }),
    };
  }

  /** Gives the dead letters that fit the filter a fresh set of attempts, and answers how many those are. */
  @Post('redrive')
  @HttpCode(200)
  async redrive(@Body({ schema: deadLetterRedrive }) filter: DeadLetterRedrive) {
    return { redriven: await this.deadLetters.redrive(filter) };
  }
}
