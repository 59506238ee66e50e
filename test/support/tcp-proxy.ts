import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { DataSourceOptions } from 'typeorm';

/**
 * `pass`: as if it were not there. `refuse`: connections are reset. `silent`: connections are accepted, and nothing that
 * is sent arrives, on either side; those that are open stay so, and stay silent for ever: nobody is told that they are dead.
 */
export type ProxyMode = 'pass' | 'refuse' | 'silent';

/** Stands between a node and its database server, to take that away. */
export class TcpProxy {
  private readonly pairs = new Set<readonly [client: Socket, server: Socket]>();
  private readonly silenced = new WeakSet<readonly [client: Socket, server: Socket]>();
  private mode: ProxyMode = 'pass';
  /** Connections that were asked for. */
  attempts = 0;

  private constructor(
    private readonly listener: Server,
    private readonly target: { readonly host: string; readonly port: number },
  ) {}

  static async before(options: DataSourceOptions): Promise<TcpProxy> {
    const listener = createServer({ pauseOnConnect: true });
    const proxy = new TcpProxy(listener, targetOf(options));
    listener.on('connection', (socket) => proxy.accept(socket));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** The same database, through the proxy. */
  through(options: DataSourceOptions): DataSourceOptions {
    const { port } = this.listener.address() as AddressInfo;
    const { url } = options as { url?: string };
    if (url === undefined) return { ...options, host: '127.0.0.1', port } as DataSourceOptions;
    const moved = new URL(url);
    moved.hostname = '127.0.0.1';
    moved.port = String(port);
    return { ...options, url: moved.href } as DataSourceOptions;
  }

  set(mode: ProxyMode): void {
    this.mode = mode;
    if (mode === 'refuse') this.cut();
    if (mode === 'silent') for (const pair of this.pairs) this.silenced.add(pair);
  }

  /** Resets all connections; new ones may be made. */
  cut(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.listener.close(() => resolve()));
  }

  private accept(client: Socket): void {
    this.attempts++;
    client.on('error', () => undefined);
    if (this.mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.target);
    server.on('error', () => undefined);
    const pair = [client, server] as const;
    this.pairs.add(pair);
    if (this.mode === 'silent') this.silenced.add(pair);
    const isSilent = () => this.silenced.has(pair);
    for (const [from, to] of [pair, [server, client] as const]) {
      from.on('data', (data) => isSilent() || to.write(data));
      from.on('end', () => isSilent() || to.end());
      from.on('close', () => {
        this.pairs.delete(pair);
        to.destroy();
      });
    }
    client.resume();
  }
}

function targetOf(options: DataSourceOptions): { host: string; port: number } {
  const { url, host, port } = options as { url?: string; host?: string; port?: number };
  const { type } = options;
  const usual = type === 'postgres' ? 5432 : 3306;
  if (url === undefined) return { host: host ?? '127.0.0.1', port: port ?? usual };
  const { hostname, port: given } = new URL(url);
  return { host: hostname, port: Number(given || usual) };
}
