import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeFolderDurable } from '../base/index.js';
import { AppendFile } from './append-file.js';
import { encodeEvent, frameRecord, type TensorBoardEvent } from './tensorboard-event.js';

/** Name of an event file as TensorFlow gives it: `events.out.tfevents.<seconds since 1970>.<host>.<process>`. */
export function eventFileName(wallTime: number, host: string = hostname(), processId: number = process.pid): string {
  return `events.out.tfevents.${String(Math.floor(wallTime)).padStart(10, '0')}.${host}.${processId}`;
}

/**
 * Writes events to one event file of a folder, both made when they are not there; one record each, behind those that this process wrote in
 * the same second.
 *
 * @param events at least one; the first one's time names the file.
 * @returns path of the file.
 * @throws DiskFull, WriteFailed
 */
export async function writeEventFile(folder: string, events: readonly TensorBoardEvent[]): Promise<string> {
  await makeFolderDurable(folder);
  const file = await AppendFile.open(join(folder, eventFileName(events[0].wallTime)));
  for (const event of events) file.append(frameRecord(encodeEvent(event)));
  await file.close();
  return file.path;
}
