#!/bin/sh
# The hostile peers of group [idle] in hostile.table.
. "$(dirname "$0")/hostile-run"
hostile_group idle
