# bash completion for concurrencyd(8): its flags, and the words that settings take.
_concurrencyd() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words
  COMPREPLY=()
  case $prev in
    --socket | --database | --config | --api-key-file | --fleet-password-file | --fleet-ca-file | --fleet-cert-file | --fleet-key-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
    --admin-group | --socket-group) mapfile -t COMPREPLY < <(compgen -g -- "$cur") && return ;;
    --on-limit) words='deny evict-oldest evict-newest' ;;
    --mode) words='enforce observe' ;;
    --durability) words='full normal' ;;
    --fleet-ack) words='replica primary' ;;
    --fleet-unavailable) words='local deny allow' ;;
    --log-level) words='error warning info debug' ;;
    --log-format) words='text json' ;;
    --limit | --lease | --hold-off | --longest | --overlap | --required-attributes | --denial-message | --history | --start-rate | --max-sessions | --socket-mode | --listen | --authorize-* | \
      --fleet | --fleet-name | --fleet-user | --fleet-timeout | --fleet-cache | --box) return ;;
    *)
      words='--config --check-config --migrate-only --recover --socket --database --limit --lease --on-limit --hold-off --longest --overlap --required-attributes --denial-message --mode --start-rate
        --max-sessions --durability --history --socket-mode --socket-group --admin-group --listen --api-key-file
        --authorize-user --authorize-session --authorize-device --authorize-ip --authorize-content --authorize-type --authorize-kind --authorize-uri --authorize-lease
        --fleet --fleet-name --fleet-user --fleet-password-file --fleet-ca-file --fleet-cert-file --fleet-key-file --fleet-ack
        --fleet-unavailable --fleet-timeout --fleet-cache --box --log-level --log-format --help --version'
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _concurrencyd concurrencyd
