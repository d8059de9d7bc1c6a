# bash completion for concur(1): commands, options, and the names of users and sessions that are active.

# Prints $1 of each active session that the daemon knows; nothing where it is not there or does not let one see.
_concur_names() {
  local words=(list --output ndjson --timeout 500ms)
  [ -z "$3" ] || words+=(--socket "$3")
  [ "$1" = user ] || [ -z "$2" ] || words=(list --user "$2" --output ndjson --timeout 500ms ${3:+--socket "$3"})
  concur "${words[@]}" 2>/dev/null | head -n 1000 |
    sed -n 's/.*"'"$1"'":"\([^"\\]*\)".*/\1/p' | sort -u
}

_concur() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local i word verb='' group='' user='' socket='' name='' start options
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --) # What follows is the command that concur run runs.
        COMPREPLY=($(compgen -c -f -- "$cur"))
        return
        ;;
      --user) user=${COMP_WORDS[i + 1]:-} ;;
      --socket) socket=${COMP_WORDS[i + 1]:-} ;;
    esac
    case $word in
      --dry-run | --all | --replace-all | --force | --local | --renewed | --help | --version) ;;
      --*) ((++i)) ;;
      list) if [ "$verb" = block ]; then verb='block list'; elif [ -z "$verb" ]; then verb="${group:+$group }$word"; else name=$word; fi ;;
      limit | plan | fleet) if [ -z "$verb$group" ]; then group=$word; fi ;;
      *) if [ -z "$verb" ]; then verb="${group:+$group }$word"; else name=$word; fi ;;
    esac
  done

  case $prev in
    --user) mapfile -t COMPREPLY < <(compgen -W "$(_concur_names user '' "$socket")" -- "$cur") && return ;;
    --session | --replace)
      mapfile -t COMPREPLY < <(compgen -W "$(_concur_names session "$user" "$socket")" -- "$cur") && return ;;
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
    --on-limit)
      options='deny evict-oldest evict-newest'
      if [ "$verb" = 'limit set' ]; then options="$options default"; fi
      mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") && return
      ;;
    --if-unavailable) mapfile -t COMPREPLY < <(compgen -W 'allow deny' -- "$cur") && return ;;
    --output)
      case $verb in
        'limit list' | 'block list') options='json ndjson' ;;
        report) options='json table html csv' ;;
        status | fleet*) options='json table' ;;
        *) options='json ndjson table' ;;
      esac
      mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") && return
      ;;
    --timeout | --older-than | --block | --for | --message | --ttl | --start | --limit | --device | --ip | --content | --meta | --idle | --max | --plan | --rule | --since | --top | \
      --what-if-limit | --interval) return ;;
  esac

  start='--user --session --ttl --limit --device --ip --content --meta --on-limit --replace --replace-all --wait'
  case $verb in
    '')
      case $group in
        limit) options='get set unset list' ;;
        plan) options='set unset list' ;;
        fleet) options='check status' ;;
        *) options='start heartbeat end list purge run report status limit plan block unblock explain fleet batch watch top backup --version' ;;
      esac
      ;;
    start | explain) options=$start ;;
    run) options="$start --if-unavailable --" ;;
    heartbeat) options='--user --session --ttl --start' ;;
    end) options='--user --session --start --message' ;;
    list) options='--user --output' ;;
    purge) options='--user --idle --older-than --ip --device --content --meta --all --block --message --dry-run' ;;
    block) options='list --user --for --message' ;;
    unblock) options='--user' ;;
    'block list') options='--output' ;;
    report)
      options='--since --top --user --what-if-limit --output'
      if [ -z "$name" ] && [[ $cur != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return; fi
      ;;
    status | 'fleet check' | 'fleet status') options='--output' ;;
    watch) options='--user --since --renewed --exec --events --state --at-most' ;;
    top) options='--interval' ;;
    'limit get' | 'limit unset') options='--user' ;;
    'limit set') options='--user --max --plan --on-limit --rule' ;;
    'limit list') options='--output' ;;
    'plan set') options='--max --on-limit --rule' ;;
    'plan unset') options='--force' ;;
    backup)
      options='--local'
      if [ -z "$name" ] && [[ $cur != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return; fi
      ;;
    *) options='' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options --socket --timeout --help" -- "$cur")
}

complete -F _concur concur
