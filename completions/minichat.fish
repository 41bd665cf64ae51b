# Fish completion for minichat.
#
# The titles of servers were written by strangers: it is fish that quotes them.

# Whether the command is this one, and, if that is said, so many words come after.
function __minichat_at -a command count
    # written by write_generated_files: values
    set -l valued -p --port -b --bind -n --name -m --motd -l --log --history --store --keep \
        --max-users --notices --per-address --rate --engine --web-port --interface -t --timeout \
        --nick --since-file --bell --color
    # end of values
    set -l free
    set -l option
    for word in (commandline -opc)[2..-1]
        if test -n "$option"
            set option
        else if contains -- $word $valued
            set option $word
        else if not string match -q -- '-*' $word
            set -a free $word
        end
    end
    test "$free[1]" = "$command"
    and test -z "$count" -o (count $free[2..-1]) = "$count"
end

# The titles of the servers on the network, and their addresses. One that looks
# like an option would be one.
function __minichat_servers
    string match -q -- '-*' (commandline -ct) && return
    command minichat discover --timeout 1 2>/dev/null </dev/null |
        string match -v -- '-*' | string replace -r '^([^\t]+\t[^\t]*)\t.*' '$1'
end

# The network interfaces, where the system has a list of them.
function __minichat_interfaces
    for path in /sys/class/net/*
        string replace -r '.*/' '' -- $path
    end
end

complete -c minichat -f

# written by write_generated_files: options
complete -c minichat -n '__minichat_at ""' -a server -d 'run a chat server and announce it on the network'
complete -c minichat -n '__minichat_at ""' -a discover -d 'list the chat servers on the network'
complete -c minichat -n '__minichat_at ""' -a connect -d 'join a chat; so does no command at all'
complete -c minichat -n '__minichat_at ""' -a completions -d 'print what makes a shell complete with TAB'
complete -c minichat -n '__minichat_at ""' -s h -l help -d 'print this help and exit'
complete -c minichat -n '__minichat_at ""' -s V -l version -d 'print the version and exit'

complete -c minichat -n '__minichat_at server' -s h -l help -d 'print this help and exit'
complete -c minichat -n '__minichat_at server' -s p -l port -x -d 'TCP port to listen on, 0 for any free one (default: 9000)'
complete -c minichat -n '__minichat_at server' -s b -l bind -x -d 'listen on ADDR only; may be repeated (default: all)'
complete -c minichat -n '__minichat_at server' -s n -l name -x -d 'name to announce (default: the host name)'
complete -c minichat -n '__minichat_at server' -s m -l motd -x -d 'greet everyone who joins with TEXT'
complete -c minichat -n '__minichat_at server' -s l -l log -r -F -d 'append the public conversation to FILE'
complete -c minichat -n '__minichat_at server' -l history -x -d 'tell newcomers the last N messages (default: 50, if asked)'
complete -c minichat -n '__minichat_at server' -l store -r -F -d 'keep what is said to all in DIR, for later runs, too'
complete -c minichat -n '__minichat_at server' -l keep -x -d 'days to keep it, 0 for ever (default: 30)'
complete -c minichat -n '__minichat_at server' -l max-users -x -d 'people at once, 0 for no limit (default: 1000)'
complete -c minichat -n '__minichat_at server' -l notices -x -d 'no joins and leaves told above N people (default: 1000)'
complete -c minichat -n '__minichat_at server' -l per-address -x -d 'connections from one address, 0 for no limit (default: 64)'
complete -c minichat -n '__minichat_at server' -l rate -x -d 'lines a second per user, 0 for no limit (default: 50)'
complete -c minichat -n '__minichat_at server' -l engine -x -d 'be one room with other servers, by Redis or Valkey'
complete -c minichat -n '__minichat_at server' -l no-mdns -d 'do not announce the server on the network'
complete -c minichat -n '__minichat_at server' -l web-port -x -d 'port of the page for browsers (default: 80 higher)'
complete -c minichat -n '__minichat_at server' -l no-web -d 'no page for browsers'
complete -c minichat -n '__minichat_at server' -l interface -x -a '(__minichat_interfaces)' -d 'announce on interface NAME only (default: all)'
complete -c minichat -n '__minichat_at server' -l encrypted-only -d 'nobody joins unencrypted; no page for browsers'
complete -c minichat -n '__minichat_at server' -l closed -d 'ask for a password: $MINICHAT_PASSWORD, or one made'
complete -c minichat -n '__minichat_at server' -l new-key -d 'make a new key for encryption'
complete -c minichat -n '__minichat_at server' -s q -l quiet -d 'print only errors'

complete -c minichat -n '__minichat_at discover' -s h -l help -d 'print this help and exit'
complete -c minichat -n '__minichat_at discover' -s t -l timeout -x -d 'how long to look (default: 2)'
complete -c minichat -n '__minichat_at discover' -s 1 -l first -d 'stop at the first server found'
complete -c minichat -n '__minichat_at discover' -s w -l watch -d 'go on, and tell what changes, until Ctrl-C'
complete -c minichat -n '__minichat_at discover' -s j -l json -d 'print one JSON object per server'
complete -c minichat -n '__minichat_at discover' -l scan -d 'try port 9000 of all local addresses, too'
complete -c minichat -n '__minichat_at discover' -l interface -x -a '(__minichat_interfaces)' -d 'look on interface NAME only (default: all)'

complete -c minichat -n '__minichat_at connect 0' -k -a '(__minichat_servers)'
complete -c minichat -n '__minichat_at connect' -s h -l help -d 'print this help and exit'
complete -c minichat -n '__minichat_at connect' -s a -l auto -d 'never ask which server: take the first by name'
complete -c minichat -n '__minichat_at connect' -s n -l nick -x -d 'your nickname (default: $MINICHAT_NICK, or ask)'
complete -c minichat -n '__minichat_at connect' -s t -l timeout -x -d 'how long to look and to connect (default: 5)'
complete -c minichat -n '__minichat_at connect' -s r -l raw -d 'protocol lines, unchanged in both directions'
complete -c minichat -n '__minichat_at connect' -s j -l json -d 'print one JSON object per event'
complete -c minichat -n '__minichat_at connect' -l text -d 'say every line as it is: no line is a command'
complete -c minichat -n '__minichat_at connect' -s s -l stay -d 'keep listening after the end of the input'
complete -c minichat -n '__minichat_at connect' -s l -l log -r -F -d 'append what is shown to FILE'
complete -c minichat -n '__minichat_at connect' -l since-file -r -F -d 'tell what was missed since the place in FILE'
complete -c minichat -n '__minichat_at connect' -l bell -x -a 'never me all' -d 'ring for: never, me, all (default: me)'
complete -c minichat -n '__minichat_at connect' -l notify -d 'notify of what is for you where the terminal can'
complete -c minichat -n '__minichat_at connect' -l color -x -a 'auto always never' -d 'colours: auto, always, never (default: auto)'
complete -c minichat -n '__minichat_at connect' -l encrypted -d 'join only with encryption'
complete -c minichat -n '__minichat_at connect' -l forget -d 'forget the key of the server, then join'
complete -c minichat -n '__minichat_at connect' -l no-reconnect -d 'leave when the connection is lost'
complete -c minichat -n '__minichat_at connect' -l host -d 'open a room without asking if there is none'
complete -c minichat -n '__minichat_at connect' -l no-host -d 'never open a room, nor go on with one of others'
complete -c minichat -n '__minichat_at connect' -l name -x -d 'look for room NAME only, or open it'
complete -c minichat -n '__minichat_at connect' -l interface -x -a '(__minichat_interfaces)' -d 'look on interface NAME only (default: all)'

complete -c minichat -n '__minichat_at completions 0' -a 'bash zsh fish powershell'
complete -c minichat -n '__minichat_at completions' -s h -l help -d 'print this help and exit'
# end of options
