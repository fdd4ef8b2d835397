#!/bin/sh
# SPDX-License-Identifier: ISC
# The hostile peers of group [idle] in hostile.table.
. "$(dirname "$0")/hostile-run"
hostile_group idle
