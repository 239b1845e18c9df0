import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { ResolvedConfig } from '../../config/index.js';
import { Estimator } from '../../estimator/index.js';
import { evalEvent, evaluationLine, eventLine } from '../../telemetry/index.js';
import { ExitCode } from '../exit-codes.js';
import type { Output } from '../output.js';

/** `monolith-local eval`: metrics of the newest checkpoint on the evaluation data. */
export async function evaluateCommand(resolved: ResolvedConfig, output: Output): Promise<number> {
  const { step, metrics } = await new Estimator(resolved).evaluate();
  output.result(resolved.config.json ? eventLine(evalEvent(step, metrics)) : `${evaluationLine(step, metrics)}\n`);
  return ExitCode.done;
}

/** `monolith-local predict`: exactly one line a record, in their order; `nan` for a record that can't be read. */
export async function predictCommand(resolved: ResolvedConfig, outputFile: string | null, output: Output): Promise<number> {
  const stream = outputFile === null ? process.stdout : createWriteStream(outputFile);
  let bad = 0;
  const count = await new Estimator(resolved).predict(async (predictions) => {
    let text = '';
    for (const value of predictions) {
      if (Number.isNaN(value)) bad++;
      text += Number.isNaN(value) ? 'nan\n' : `${Number(value.toPrecision(9))}\n`;
    }
    if (!stream.write(text)) await once(stream, 'drain');
  });
  if (stream !== process.stdout) {
    stream.end();
    await once(stream, 'finish');
  }
  if (!resolved.config.quiet) output.talk(`${count} predictions${bad > 0 ? `, ${bad} of them nan: records that could not be read` : ''}\n`);
  return ExitCode.done;
}
