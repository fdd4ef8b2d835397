#!/bin/sh
# SPDX-License-Identifier: ISC
# The hostile peers of group [tls] in hostile.table.
. "$(dirname "$0")/hostile-run"
hostile_group tls
