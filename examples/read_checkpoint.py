#!/usr/bin/env python3
"""Reads a checkpoint from docs/formats/checkpoint.md alone, with nothing but Python's library, and prints the rows of a table as CSV.

    python3 read_checkpoint.py runs/adult/checkpoint-1200.json [TABLE]

What it prints is, byte for byte, what `monolith-local rows export checkpoint-1200.json --table TABLE` prints. Every checksum is checked:
of the manifest, of each block, of each footer and of each section. A delta is read with the whole checkpoint that it stands on.
"""
import json, os, re, struct, sys

TABLE = list(range(256))
for _ in range(8):
    TABLE = [(entry >> 1) ^ (0x82F63B78 if entry & 1 else 0) for entry in TABLE]

def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF

def check(holds, problem):
    if not holds:
        sys.exit('damaged or not a checkpoint: ' + problem)

def manifest(path):
    with open(path, 'rb') as file:
        raw = file.read()
    ending = re.search(rb',\n  "crc32c": "0x([0-9a-f]{8})"\n\}\n\Z', raw)
    check(ending and crc32c(raw[:ending.start(1)]) == int(ending[1], 16), path)
    content = json.loads(raw)
    check(content['format'] == 'monolith-local checkpoint' and content['formatVersion'] in (1, 2), path + ': format or version')
    check(path.endswith('checkpoint-%d.json' % content['step']), path + ': step')
    content['path'], content['own crc32c'] = path, '0x' + ending[1].decode()
    return content

def section(content, name):
    entry = next(entry for entry in content['sections'] if entry['name'] == name)
    path = os.path.join(os.path.dirname(content['path']), content['folder'], name)
    with open(path, 'rb') as file:
        raw = file.read()
    size = entry['bytes']
    blocks = (size + 65535) // 65536
    check(len(raw) == size + 4 * blocks + 32, path + ': length')
    footer = raw[size:]
    sums, tail = struct.unpack('<%dI' % blocks, footer[:4 * blocks]), footer[4 * blocks:]
    magic, length, block, whole, zero, own = struct.unpack('<8sQIIII', tail)
    check((magic, length, block, zero) == (b'MLSECT01', size, 65536, 0) and own == crc32c(footer[:-4]), path + ': footer')
    data, crc = raw[:size], 0
    for i in range(blocks):
        piece = data[i * 65536:(i + 1) * 65536]
        check(crc32c(piece) == sums[i], '%s: block %d' % (path, i))
        crc = crc32c(piece, crc)
    check(crc == whole == int(entry['crc32c'], 16), path + ': belongs to another checkpoint')
    return data

def rows(content, table):
    """fid -> (step of last use, values)"""
    found = {}
    for name in table['sections']:
        data = section(content, name)
        magic, count, dim, state = struct.unpack('<8sQII8x', data[:32])
        check(magic == b'MLROWS01' and (dim, state) == (table['dim'], table['stateLength']), name)
        used_at = 32 + 8 * count
        records_at = used_at + 8 * ((count + 1) // 2)
        check(len(data) == records_at + 4 * count * (dim + state), name + ': length')
        fids, used = struct.unpack_from('<%dQ' % count, data, 32), struct.unpack_from('<%dI' % count, data, used_at)
        for i, fid in enumerate(fids):
            found[fid] = (used[i], struct.unpack_from('<%df' % dim, data, records_at + 4 * i * (dim + state)))
    return found

def mix64(fid):
    z = (fid + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31

def text(value):
    """The first of %.1g ... %.9g that reads back as the same float32."""
    raw = struct.pack('<f', value)
    texts = ('%.*g' % (digits, value) for digits in range(1, 10))
    return next(text for text in texts if abs(float(text)) < 3.4028236e38 and struct.pack('<f', float(text)) == raw)

def main(path, name=None):
    content = whole = manifest(path)
    table = base = next(table for table in content['tables'] if name in (None, table['name']))
    found = {}
    if content['formatVersion'] == 2:
        whole = manifest(os.path.join(os.path.dirname(path), 'checkpoint-%d.json' % content['base']['step']))
        check(whole['own crc32c'] == content['base']['crc32c'], 'the base was written anew')
        base = next(other for other in whole['tables'] if other['name'] == table['name'])
        found = rows(whole, base)
    found.update(rows(content, table))
    slices = next(other for other in content['model']['tables'] if other['name'] == table['name'])['slices']
    print(','.join(['fid', 'last_used'] + ['%s.%d' % (part['name'], i) for part in slices for i in range(part['dim'])]))
    bits = len(base['sections']).bit_length() - 1
    for fid in sorted(found, key=lambda fid: (mix64(fid) >> (64 - bits), fid)):
        used, values = found[fid]
        print(','.join([str(fid), str(used)] + [text(value) for value in values]))

if __name__ == '__main__':
    if len(sys.argv) not in (2, 3):
        sys.exit('usage: read_checkpoint.py run/checkpoint-<step>.json [table]')
    main(*sys.argv[1:])
