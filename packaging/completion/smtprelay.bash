# SPDX-License-Identifier: ISC
# bash completion for smtprelay(8) and smtprelayd(8)

# ids of what waits; a long queue is not read to its end
_smtprelay_ids() {
    command smtprelay queue $1 2>/dev/null | head -n 500 | sed -n 's/^\([0-9A-Z]\{6,\}\) .*/\1/p'
}

# compgen -W expands what it is given: no name with a character that means something to a shell
_smtprelay_accounts() {
    command smtprelay status 2>/dev/null | sed -n 's/^account \([A-Za-z0-9_.@+/-]*\): .*/\1/p' | sort -u
}

_smtprelay() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= i
    local commands='check explain hold import log queue release remove retry setup show status test why'
    local which='--sender --recipient --account --unit --uid --older-than --larger-than --reason --held --all --failed --dry-run --json'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -C) ((i++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $prev in
    -C | --root | --password-file | --ca-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --account)
        mapfile -t COMPREPLY < <(compgen -W "$(_smtprelay_accounts)" -- "$cur")
        return
        ;;
    --user)
        mapfile -t COMPREPLY < <(compgen -u -- "$cur")
        return
        ;;
    --sender | --recipient | --unit | --uid | --older-than | --larger-than | --reason | -n | --last) return ;;
    --from)
        [ "$command" = import ] && mapfile -t COMPREPLY < <(compgen -W 'ssmtp msmtp nullmailer dma esmtp postfix exim' -- "$cur")
        return
        ;;
    esac
    local words=
    case $command in
    '') words="$commands -C --version --help" ;;
    check) words='--from --user' ;;
    status) words='--json --watch' ;;
    queue) words=$which ;;
    show | retry | hold | release) words="$which $([[ $cur == -* ]] || _smtprelay_ids)" ;;
    remove) words="$which --yes $([[ $cur == -* ]] || _smtprelay_ids)" ;;
    why) words="--last --json $([[ $cur == -* ]] || _smtprelay_ids)" ;;
    log) words='-f -n' ;;
    explain) words='--json' ;;
    test) words='--account --json --daemon' ;;
    setup)
        words='--account --provider --mailhub --user --password-file --password-command --tls --ca-file --no-login --no-test --force'
        ;;
    import)
        words='--from --root --write --force --spool'
        [[ $cur == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    esac
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$cur")
}

_smtprelayd() {
    local cur=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    if [ "${COMP_WORDS[COMP_CWORD - 1]}" = -C ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -W '-C --version --help' -- "$cur")
    fi
}

complete -o filenames -F _smtprelay smtprelay
complete -o filenames -F _smtprelayd smtprelayd
