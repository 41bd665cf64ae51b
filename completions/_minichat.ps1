# PowerShell completion for minichat. To load it, write into your $PROFILE:
#
#   minichat completions powershell | Out-String | Invoke-Expression
#
# The titles of servers were written by strangers. They are compared and quoted
# here, and nothing else is done with them.

Register-ArgumentCompleter -Native -CommandName minichat -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # written by write_generated_files: options
    $commands = @(
        'server|run a chat server and announce it on the network'
        'discover|list the chat servers on the network'
        'connect|join a chat; so does no command at all'
        'completions|print what makes a shell complete with TAB'
    )
    $options = @{
        ''            = @(
            '-h, --help|print this help and exit'
            '-V, --version|print the version and exit'
        )
        'server'      = @(
            '-h, --help|print this help and exit'
            '-p, --port|TCP port to listen on, 0 for any free one (default: 9000)'
            '-b, --bind|listen on ADDR only; may be repeated (default: all)'
            '-n, --name|name to announce (default: the host name)'
            '-m, --motd|greet everyone who joins with TEXT'
            '-l, --log|append the public conversation to FILE'
            '--history|tell newcomers the last N messages (default: 50, if asked)'
            '--store|keep what is said to all in DIR, for later runs, too'
            '--keep|days to keep it, 0 for ever (default: 30)'
            '--max-users|people at once, 0 for no limit (default: 1000)'
            '--notices|no joins and leaves told above N people (default: 1000)'
            '--per-address|connections from one address, 0 for no limit (default: 64)'
            '--rate|lines a second per user, 0 for no limit (default: 50)'
            '--engine|be one room with other servers, by Redis or Valkey'
            '--no-mdns|do not announce the server on the network'
            '--web-port|port of the page for browsers (default: 80 higher)'
            '--no-web|no page for browsers'
            '--interface|announce on interface NAME only (default: all)'
            '--encrypted-only|nobody joins unencrypted; no page for browsers'
            '--closed|ask for a password: $MINICHAT_PASSWORD, or one made'
            '--new-key|make a new key for encryption'
            '-q, --quiet|print only errors'
        )
        'discover'    = @(
            '-h, --help|print this help and exit'
            '-t, --timeout|how long to look (default: 2)'
            '-1, --first|stop at the first server found'
            '-w, --watch|go on, and tell what changes, until Ctrl-C'
            '-j, --json|print one JSON object per server'
            '--scan|try port 9000 of all local addresses, too'
            '--interface|look on interface NAME only (default: all)'
        )
        'connect'     = @(
            '-h, --help|print this help and exit'
            '-a, --auto|never ask which server: take the first by name'
            '-n, --nick|your nickname (default: $MINICHAT_NICK, or ask)'
            '-t, --timeout|how long to look and to connect (default: 5)'
            '-r, --raw|protocol lines, unchanged in both directions'
            '-j, --json|print one JSON object per event'
            '--text|say every line as it is: no line is a command'
            '-s, --stay|keep listening after the end of the input'
            '-l, --log|append what is shown to FILE'
            '--since-file|tell what was missed since the place in FILE'
            '--bell|ring for: never, me, all (default: me)'
            '--notify|notify of what is for you where the terminal can'
            '--color|colours: auto, always, never (default: auto)'
            '--encrypted|join only with encryption'
            '--forget|forget the key of the server, then join'
            '--no-reconnect|leave when the connection is lost'
            '--host|open a room without asking if there is none'
            '--no-host|never open a room, nor go on with one of others'
            '--name|look for room NAME only, or open it'
            '--interface|look on interface NAME only (default: all)'
        )
        'completions' = @(
            '-h, --help|print this help and exit'
        )
    }
    $values = @{
        '--bell' = @('never', 'me', 'all')
        '--color' = @('auto', 'always', 'never')
    }
    $takesValue = @(
        '-p', '--port', '-b', '--bind', '-n', '--name', '-m', '--motd', '-l', '--log', '--history',
        '--store', '--keep', '--max-users', '--notices', '--per-address', '--rate', '--engine',
        '--web-port', '--interface', '-t', '--timeout', '--nick', '--since-file', '--bell',
        '--color'
    )
    $shells = @('bash', 'zsh', 'fish', 'powershell')
    # end of options

    # What stands before the word that is typed.
    $command = ''
    $option = ''
    $free = 0
    foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
        $word = $element.Extent.Text
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        elseif ($option) { $option = '' }
        elseif ($takesValue -ccontains $word) { $option = $word }
        elseif ($word.StartsWith('-')) { continue }
        elseif (-not $command) { $command = $word }
        else { $free++ }
    }

    $typed = $wordToComplete.Trim('"', "'")
    function Offer($text, $word, $help) {
        if ($text.StartsWith($typed, [StringComparison]::OrdinalIgnoreCase)) {
            [Management.Automation.CompletionResult]::new($word, $text, 'ParameterValue', $help)
        }
    }

    if ($option) {
        foreach ($value in $values[$option]) { Offer $value $value $value }
    }
    elseif ($wordToComplete.StartsWith('-')) {
        foreach ($line in $options[$command]) {
            $names, $help = $line -split '\|', 2
            foreach ($name in $names -split ', ') { Offer $name $name $help }
        }
    }
    elseif (-not $command) {
        foreach ($line in $commands) {
            $name, $help = $line -split '\|', 2
            Offer $name $name $help
        }
    }
    elseif ($command -eq 'completions' -and $free -eq 0) {
        foreach ($shell in $shells) { Offer $shell $shell $shell }
    }
    elseif ($command -eq 'connect' -and $free -eq 0) {
        $encoding = [Console]::OutputEncoding
        try {
            [Console]::OutputEncoding = [Text.UTF8Encoding]::new($false)
            $servers = @($null | minichat discover --timeout 1 2>$null)
        }
        finally {
            [Console]::OutputEncoding = $encoding
        }
        foreach ($server in $servers) {
            $title, $address, $rest = $server -split "`t"
            # One that looks like an option would be one.
            if (-not $title -or $title.StartsWith('-')) { continue }
            $word = $title
            if ($title -notmatch '^[\p{L}\p{N}_.]+$') {
                $quotable = [Management.Automation.Language.CodeGeneration]
                $word = "'" + $quotable::EscapeSingleQuotedStringContent($title) + "'"
            }
            Offer $title $word $address
        }
    }
}
