import { MonolithError, suggest } from '../base/index.js';
import { exampleTasks } from './examples.js';
import type { Task, TaskClass } from './task.js';

/** Tasks by dotted name. */
export class TaskRegistry {
  private readonly tasks = new Map<string, () => Task>();

  /** In ascending order. */
  get names(): string[] {
    return [...this.tasks.keys()].sort();
  }

  /** @param name with a dot in it: `<module>.<task>`. @throws InvalidConfig for another name; InvalidModel for one that is taken */
  register(name: string, task: Task): void {
    if (typeof task !== 'object' || task === null) {
      throw new MonolithError('InvalidModel', `task ${name}: expected an object with config, train or evaluate, got ${String(task)}`, {
        task: name,
      });
    }
    this.add(name, () => task);
  }

  /** Registers a class as `<module>.<name of the class>`; its instance is made when it is wanted. @throws as {@link register} */
  registerSingle(module: string, task: TaskClass): void {
    this.add(`${module}.${task.name}`, () => new task());
  }

  /** @throws InvalidConfig for a name without a dot; UnknownModel for one that is not registered */
  resolve(name: string): Task {
    checkName(name);
    const make = this.tasks.get(name);
    if (make !== undefined) return make();
    const near = suggest(name, this.names);
    const hint = near === null ? `registered: ${this.names.join(', ') || 'none'}` : `did you mean ${near}?`;
    throw new MonolithError('UnknownModel', `Model ${name} not found; ${hint}; --import loads a module that registers tasks`, {
      task: name,
    });
  }

  private add(name: string, make: () => Task): void {
    checkName(name);
    if (this.tasks.has(name)) {
      throw new MonolithError('InvalidModel', `Duplicate model registered for key ${name}; give one of the two tasks another name`, {
        task: name,
      });
    }
    this.tasks.set(name, make);
  }
}

function checkName(name: string): void {
  if (/^[^.\s]+(\.[^.\s]+)+$/.test(name)) return;
  throw new MonolithError('InvalidConfig', `Invalid model name ${name}; expected a name with a dot, such as ads.click`, { task: name });
}

/** The registry of a process has one place, however many copies of this package are loaded. */
const PLACE = Symbol.for('monolith-local.tasks');

function processRegistry(): TaskRegistry {
  const places = globalThis as unknown as { [PLACE]?: TaskRegistry };
  if (places[PLACE] === undefined) {
    places[PLACE] = new TaskRegistry();
    for (const [name, task] of Object.entries(exampleTasks())) places[PLACE].register(name, task);
  }
  return places[PLACE];
}

/**
 * Makes a task known to this process under a dotted name.
 * @throws InvalidConfig `Invalid model name X`; InvalidModel `Duplicate model registered for key X`
 */
export function registerTask(name: string, task: Task): void {
  processRegistry().register(name, task);
}

/** Makes a class of tasks known as `<module>.<name of the class>`. @throws as {@link registerTask} */
export function registerSingleTask(module: string, task: TaskClass): void {
  processRegistry().registerSingle(module, task);
}

/** The task of a name. @throws InvalidConfig `Invalid model name X`; UnknownModel `Model X not found` */
export function resolveTask(name: string): Task {
  return processRegistry().resolve(name);
}

/** Names of all tasks of this process, in ascending order. */
export function taskNames(): string[] {
  return processRegistry().names;
}
