#!/bin/sh
# The hostile peers of group [ehlo] in hostile.table.
. "$(dirname "$0")/hostile-run"
hostile_group ehlo
