import { Controller, Get } from '@nestjs/common';
import { Partner } from './partner.service.js';

/** For the demo only: what the partner would see of us. */
@Controller('partner')
export class PartnerController {
  constructor(private readonly partner: Partner) {}

  @Get()
  usage() {
    return this.partner.usage;
  }
}
