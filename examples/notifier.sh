#!/bin/sh
# Runs a command and tells the room how it ended:
#
#   examples/notifier.sh make test
#
# ROOM is the server, by name or address; without it, the first that is found.
"$@"
status=$?
[ $status -eq 0 ] && end="went well" || end="ended with status $status"
echo "$*: $end" | minichat connect "${ROOM:---auto}" --nick notifier --text >/dev/null
exit $status
