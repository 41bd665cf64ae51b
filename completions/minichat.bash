# Bash completion for minichat.
#
# The titles of servers were written by strangers. They are compared and quoted
# here, and never given to anything that expands words, as `compgen -W` does.

_minichat() {
    local cur=${COMP_WORDS[COMP_CWORD]} command='' option='' free=0 word
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $word == '=' ]]; then
            continue # It stands between an option and its value.
        elif [[ -n $option ]]; then
            option=''
        elif [[ $word == -* ]]; then
            case $word in
                # written by write_generated_files: values
                -p | --port | -b | --bind | -n | --name | -m | --motd | -l | --log | --history | \
                    --store | --keep | --max-users | --notices | --per-address | --rate | --engine \
                    | --web-port | --interface | -t | --timeout | --nick | --since-file | --bell | \
                    --color) option=$word ;;
                # end of values
            esac
        elif [[ -z $command ]]; then
            command=$word
        else
            free=$((free + 1))
        fi
    done
    [[ $cur == '=' ]] && cur=''

    # The value of an option, or else a word, or else an option.
    case $option in
        # written by write_generated_files: offers
        -l | --log | --store | --since-file) compopt -o default 2>/dev/null ;;
        --interface) _minichat_interfaces ;;
        --bell) _minichat_offer never me all ;;
        --color) _minichat_offer auto always never ;;
        # end of offers
    esac
    [[ -n $option ]] && return
    case $command:$free:$cur in
        *:*:-*) ;;
        # written by write_generated_files: arguments
        :0:*) _minichat_offer server discover connect completions ;;
        connect:0:*) _minichat_servers ;;
        completions:0:*) _minichat_offer bash zsh fish powershell ;;
        # end of arguments
    esac
    [[ -n $cur && $cur != -* || ${#COMPREPLY[@]} -gt 0 ]] && return
    case $command in
        # written by write_generated_files: options
        '') _minichat_offer -h --help -V --version ;;
        server)
            _minichat_offer -h --help -p --port -b --bind -n --name -m --motd -l --log --history \
                --store --keep --max-users --notices --per-address --rate --engine --no-mdns \
                --web-port --no-web --interface --encrypted-only --closed --new-key -q --quiet
            ;;
        discover)
            _minichat_offer -h --help -t --timeout -1 --first -w --watch -j --json --scan \
                --interface
            ;;
        connect)
            _minichat_offer -h --help -a --auto -n --nick -t --timeout -r --raw -j --json --text \
                -s --stay -l --log --since-file --bell --notify --color --encrypted --forget \
                --no-reconnect --host --no-host --name --interface
            ;;
        completions) _minichat_offer -h --help ;;
        # end of options
    esac
}

# Offers those of these words that begin with what is typed.
_minichat_offer() {
    local word
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
}

# Offers the network interfaces, where the system has a list of them.
_minichat_interfaces() {
    local path
    for path in /sys/class/net/*; do
        [[ -e $path ]] && _minichat_offer "${path##*/}"
    done
}

# Offers the servers whose titles begin with what is typed, which may be quoted.
_minichat_servers() {
    local quote='' typed=$cur title rest
    if [[ $cur == [\"\']* ]]; then
        quote=${cur:0:1} typed=${cur:1}
    fi
    # Of a word with a quote in its middle, only a part would be replaced.
    if [[ $quote == \' ]]; then
        [[ $typed == *\'* ]] && return
    else
        [[ ${typed//\\?/} == *[\"\']* ]] && return
        # shellcheck disable=SC2162 # It is to take the backslashes away.
        IFS= read typed <<<"$typed"
    fi
    while IFS=$'\t' read -r title rest; do
        # One that looks like an option would be one.
        if [[ -n $title && $title != -* && $title == "$typed"* ]]; then
            _minichat_quote "$title"
        fi
    done <<<"$(command minichat discover --timeout 1 2>/dev/null </dev/null)"
}

# Offers a text as one word that the shell takes as it is, quoted as it was begun.
_minichat_quote() {
    local text=$1 word=$quote char i
    for ((i = 0; i < ${#text}; i++)); do
        char=${text:i:1}
        case $quote:$char in
            \':\') word+="'\\''" ;;
            \":!) word+="\"'!'\"" ;;
            \":[\\\"\$\`]) word+=\\$char ;;
            [\"\']:* | :[[:alnum:]_./-]) word+=$char ;;
            *) word+=\\$char ;;
        esac
    done
    COMPREPLY+=("$word$quote")
}

complete -F _minichat minichat
