#!/bin/sh
# Keeps what is said to all, a JSON object a line, from run to run, and misses nothing
# that the server still has:
#
#   examples/logger.sh FOLDER
#
# ROOM is the server, by name or address; without it, the first that is found. It goes
# on until it is stopped.
exec minichat connect "${ROOM:---auto}" --nick logger --stay --json \
    --since-file "$1/place" </dev/null >>"$1/talk.jsonl"
