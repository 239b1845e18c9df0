#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { processOutput } from './output.js';
import { runProgram } from './program.js';

const line = hideBin(process.argv);
const output = processOutput(['train', 'worker', 'ps', 'tf-runner'].includes(line[0]));
process.exitCode = await runProgram(line, output, process.env);
await output.end();
