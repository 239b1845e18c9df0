import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MonolithError, writeFileDurable } from '../base/index.js';
import type { HookContext, StepDecision, TrainHook } from '../training/index.js';
import { chromeTrace } from './chrome-trace.js';
import { CpuProfiles } from './cpu-profiles.js';

export type ProfilerOptions = {
  /** Where the files go; default: `profile` in the run folder. */
  readonly folder?: string;
  /** Whether CPU profiles are made as well; true unless given. */
  readonly cpuProfiles?: boolean;
};

/**
 * Profiles the steps `first` … `last`, counted from 1: `steps-<first>-<last>.trace.json` has what each thread did when (for chrome://tracing or
 * ui.perfetto.dev), `steps-<first>-<last>.<thread>.cpuprofile` the functions of each thread (for the developer tools of Chrome or VS Code). Steps
 * in flight are waited for before the first and after the last; between them steps overlap as ever. A run that ends earlier is profiled to its end.
 */
export class ProfilerHook implements TrainHook {
  readonly name: string = 'ProfilerHook';
  readonly trigger: StepDecision = {
    due: (step) => !this.done && step >= this.first - 1 && step < this.last && (!this.on || step === this.last - 1),
  };
  private on = false;
  private done = false;
  private profiles: CpuProfiles | null = null;

  /** @throws InvalidArgument unless 1 ≤ first ≤ last */
  constructor(
    readonly first: number,
    readonly last: number,
    private readonly options: ProfilerOptions = {},
  ) {
    if (!(Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 1 && first <= last)) {
      throw new MonolithError('InvalidArgument', `ProfilerHook: expected steps first..last with 1 ≤ first ≤ last, got ${first}..${last}`);
    }
  }

  begin(): void {
    this.on = false;
    this.done = false;
  }

  async beforeStep(_step: number, context: HookContext): Promise<void> {
    if (this.on) return;
    this.on = true;
    if (this.options.cpuProfiles !== false) this.profiles = await CpuProfiles.start();
    context.timeline?.start();
  }

  async afterStep(step: number, _metrics: unknown, context: HookContext): Promise<void> {
    if (step >= this.last - 1) await this.write(context);
  }

  async end(_step: number, _metrics: unknown, context: HookContext): Promise<void> {
    await this.write(context);
  }

  close(): void {
    this.profiles?.close();
    this.profiles = null;
  }

  private async write(context: HookContext): Promise<void> {
    if (!this.on || this.done) return;
    this.done = true;
    const spans = context.timeline?.stop() ?? [];
    const profiles = (await this.profiles?.stop()) ?? new Map<string, object>();
    this.close();
    const folder = this.options.folder ?? join(context.modelDir, 'profile');
    await mkdir(folder, { recursive: true });
    const path = (ending: string): string => join(folder, `steps-${this.first}-${this.last}.${ending}`);
    await writeFileDurable(path('trace.json'), chromeTrace(spans));
    for (const [thread, profile] of profiles) await writeFileDurable(path(`${thread}.cpuprofile`), JSON.stringify(profile));
  }
}
