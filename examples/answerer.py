#!/usr/bin/env python3
"""Answers questions: who says `!time` to all, or to it alone, is told the time.

    examples/answerer.py

ROOM is the server, by name or address; without it, the first that is found.
"""

import json
import os
import signal
import subprocess
import time

command = ["minichat", "connect", os.environ.get("ROOM", "--auto"), "--nick", "answerer"]
with subprocess.Popen(
    [*command, "--stay", "--json"],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    encoding="utf-8",
) as chat:
    # The end of the bot ends minichat, and with it this loop.
    signal.signal(signal.SIGTERM, lambda *_: chat.terminate())
    me = "answerer"
    for line in chat.stdout:
        event = json.loads(line)
        match event["type"]:
            case "welcome" | "back":
                me = event["to"]
            # What was said before it came has the type `past`, and is not answered.
            case "message" | "private" if event["text"] == "!time" and event["from"] != me:
                answer = time.strftime("it is %H:%M")
                if event["type"] == "private":
                    answer = f"@{event['from']} {answer}"
                print(answer, file=chat.stdin, flush=True)
