import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { MonolithError } from '../base/index.js';

/** The package's protos/, seen from dist/src/proto. */
const protoFolder = fileURLToPath(new URL('../../../protos/', import.meta.url));

/**
 * Types and services of files in protos/ and of what they import, by reflection: for cold paths, for tests and for {@link fileDescriptors}.
 * Field names stay as the files write them. Throws InvalidArgument for a file that is not there.
 */
export function loadProtos(files: readonly string[]): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(protoFolder, target);
  for (const file of files) {
    if (!existsSync(join(protoFolder, file))) throw new MonolithError('InvalidArgument', `protos/${file} is not there`, { file });
  }
  root.loadSync([...files], { keepCase: true });
  root.resolveAll();
  return root;
}

/** Encoded FileDescriptorProtos of files in protos/ and of what they import, as the reflection service hands them out. */
export function fileDescriptors(files: readonly string[]): Uint8Array[] {
  return loadProtos(files)
    .toDescriptor('proto3')
    .file.map((file) => descriptor.FileDescriptorProto.encode(file).finish());
}
