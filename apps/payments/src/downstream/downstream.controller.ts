import { Controller, HttpCode, Post } from '@nestjs/common';
import { Downstream } from './downstream.service.js';

/** For the demo only: a real service has no switch for its neighbours. */
@Controller('downstream')
export class DownstreamController {
  constructor(private readonly downstream: Downstream) {}

  @Post('down')
  @HttpCode(200)
  down() {
    this.downstream.takeDown();
    return { up: this.downstream.isUp };
  }

  @Post('up')
  @HttpCode(200)
  up() {
    this.downstream.bringUp();
    return { up: this.downstream.isUp };
  }
}
