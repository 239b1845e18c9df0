import { execFileSync } from 'node:child_process';

/** Hosts of a made-up network on this machine: a namespace each, joined by a switch in one of its own. */
export class Hosts {
  private readonly prefix = `ml${process.pid % 100_000}`;

  /** @param count at most 200. Needs root. */
  constructor(readonly count: number) {
    this.close();
    const hub = this.hub;
    ip('netns', 'add', hub);
    ip('-n', hub, 'link', 'add', 'hub', 'type', 'bridge');
    ip('-n', hub, 'link', 'set', 'hub', 'up');
    for (let i = 0; i < count; i++) {
      const host = this.name(i);
      ip('netns', 'add', host);
      ip('link', 'add', 'eth0', 'netns', host, 'type', 'veth', 'peer', 'name', `port${i}`, 'netns', hub);
      ip('-n', hub, 'link', 'set', `port${i}`, 'master', 'hub', 'up');
      ip('-n', host, 'addr', 'add', `${this.address(i)}/24`, 'dev', 'eth0');
      ip('-n', host, 'link', 'set', 'eth0', 'up');
      ip('-n', host, 'link', 'set', 'lo', 'up');
    }
  }

  name(host: number): string {
    return `${this.prefix}h${host}`;
  }

  address(host: number): string {
    return `10.213.77.${host + 1}`;
  }

  /** Command words that run a program on a host. */
  on(host: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.name(host)];
  }

  /** Pulls a host's cable, or puts it back. */
  link(host: number, state: 'up' | 'down'): void {
    ip('-n', this.hub, 'link', 'set', `port${host}`, state);
  }

  close(): void {
    for (const name of [...Array.from({ length: this.count }, (_, i) => this.name(i)), this.hub]) {
      try {
        ip('netns', 'del', name);
      } catch {
        // It is not there.
      }
    }
  }

  private get hub(): string {
    return `${this.prefix}hub`;
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
