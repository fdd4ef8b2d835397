#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Writes saslprep_table.h from Unicode 3.2, the version RFC 4013 means (Python carries it). Needed only to change it.
import unicodedata
u = unicodedata.ucd_3_2_0
# blocks a keyboard can hardly produce, which would be two thirds of the table
def left_out(c):
    return (0xAC00 <= c <= 0xD7A3 or 0x2E80 <= c <= 0x2FDF or 0xF900 <= c <= 0xFAFF or 0xFB50 <= c <= 0xFDFF
            or 0xFE70 <= c <= 0xFEFE or c > 0xFFFF)
pairs, maps = [], []
for c in range(0x10000):
    if left_out(c): continue
    d = u.decomposition(chr(c))
    if not d: continue
    if not d.startswith('<'):
        p = [int(x, 16) for x in d.split()]
        if len(p) == 2 and u.normalize('NFC', chr(c)) == chr(c):
            pairs.append((c, p[0], p[1])); continue
    maps.append((c, [ord(x) for x in u.normalize('NFKD', chr(c))]))
# runs of single mappings with one distance
runs, multi = [], []
for c, t in maps:
    if len(t) == 1:
        if runs and runs[-1][1] == c - 1 and runs[-1][2] + (c - runs[-1][0]) == t[0]:
            runs[-1][1] = c
        else:
            runs.append([c, c, t[0]])
    else:
        multi.append((c, t))
ccc = []
for c in range(0x10000):
    k = u.combining(chr(c))
    if k:
        if ccc and ccc[-1][1] == c - 1 and ccc[-1][2] == k: ccc[-1][1] = c
        else: ccc.append([c, c, k])
def table(f, head, items):
    f.write(head + ' = {\n')
    line = '   '
    for i in items:
        if len(line) + len(i) + 2 > 108:
            f.write(line + '\n'); line = '   '
        line += ' ' + i + ','
    f.write(line + '\n};\n\n')
pool = []
m2 = []
pos = {}
for c, t in multi:
    k = tuple(t)
    if k not in pos:
        # reuse a stretch that is already there
        for i in range(len(pool) - len(t) + 1):
            if pool[i:i+len(t)] == t: pos[k] = i; break
        else:
            pos[k] = len(pool); pool += t
    m2.append((c, pos[k], len(t)))
with open('saslprep_table.h', 'w') as f:
    f.write('''/* Unicode 3.2 as far as saslprep needs it; see saslprep.c for what is left out. Written by saslprep_table.py. */
/* clang-format off */
#ifndef SMTP_SASLPREP_TABLE_H
#define SMTP_SASLPREP_TABLE_H

#include <stdint.h>

''')
    f.write('/* primary composites: whole, first, second (canonical, both ways) */\n')
    table(f, 'static const uint16_t composites[][3]', ['{0x%x,0x%x,0x%x}' % x for x in pairs])
    f.write('/* first to last become target and what follows it (one way) */\n')
    table(f, 'static const uint16_t single[][3]', ['{0x%x,0x%x,0x%x}' % tuple(x) for x in runs])
    f.write('/* code becomes `length` characters of `expansion` from `start` (one way) */\n')
    table(f, 'static const uint16_t several[][3]', ['{0x%x,%d,%d}' % x for x in m2])
    table(f, 'static const uint16_t expansion[]', ['0x%x' % x for x in pool])
    f.write('/* first to last have this canonical combining class */\n')
    table(f, 'static const uint16_t classes[][3]', ['{0x%x,0x%x,%d}' % tuple(x) for x in ccc])
    f.write('#endif\n')
