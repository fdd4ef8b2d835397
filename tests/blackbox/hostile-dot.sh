#!/bin/sh
# SPDX-License-Identifier: ISC
# The hostile peers of group [dot] in hostile.table.
. "$(dirname "$0")/hostile-run"
hostile_group dot
