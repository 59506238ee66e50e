import {a} from 'nestjs-durable-events'; console.log(a);
