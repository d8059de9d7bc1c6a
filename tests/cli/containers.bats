#!/usr/bin/env bats
# The commands of concurrencyd(8), WITHOUT SYSTEMD, AND IN CONTAINERS, as they stand there. `docker` here is namespaces with
# the options that the page uses.

# shellcheck disable=SC2016,SC2030,SC2031

load helper

setup() {
  make_dir
  unshare --mount --pid --fork --mount-proc true 2>/dev/null || skip "needs the right to make namespaces"
  export DIR CONCUR_BIN_DIR
  { cat /etc/passwd; echo "concurrencyd:x:4241:4241::/:/bin/false"; echo "player:x:4243:4243::/:/bin/sh"; } >"$DIR/passwd"
  { grep -v '^concur' /etc/group; printf 'concurrencyd:x:4241:\nconcur:x:4240:player\nconcur-admin:x:4239:\n'; } >"$DIR/group"
  mkdir "$DIR/stubs"
  cat >"$DIR/stubs/docker" <<'END'
#!/bin/bash
# docker run [--rm] --read-only --user UID:GID --volume FROM:TO… IMAGE COMMAND [ARG]…
set -euo pipefail
[ "$1" = run ] && shift
volumes=()
while [[ $1 == --* ]]; do
  case $1 in
    --rm | --read-only) shift ;;
    --user) user=$2 && shift 2 ;;
    --volume) volumes+=("$2") && shift 2 ;;
  esac
done
shift
export user PATH HOME=/nowhere volumes_text="${volumes[*]}"
exec unshare --mount --pid --fork --kill-child --mount-proc bash -euc '
  for volume in $volumes_text; do
    mkdir -p "${volume#*:}"
    mount --bind "${volume%:*}" "${volume#*:}"
  done
  mount -o remount,ro,bind /
  unset volumes_text
  exec setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --bounding-set=-all "$@"' docker "$@"
END
  chmod 755 "$DIR/stubs/docker"
}
teardown() { remove_dir; }

# The page's example number N.
commands() {
  awk -v wanted="$1" '/^\.Sh /{ on = /WITHOUT SYSTEMD/ } /^\.Ed/{ take = 0 } on && take && found == wanted
    on && /^\.Bd/{ take = 1; found++ }' "$BATS_TEST_DIRNAME/../../man/concurrencyd.8" | sed 's/\\e$/\\/'
}

# Runs a script as root of a machine of its own: these users, and nothing in the folders that services have.
on_a_machine() {
  run --separate-stderr env PATH="$DIR/stubs:$PATH" unshare --mount --pid --fork --kill-child --mount-proc bash -euc '
    mount --make-rprivate /
    for folder in /run /var/lib /var/log /srv; do mount -t tmpfs tmpfs "$folder"; done
    mount --bind "$DIR/passwd" /etc/passwd
    mount --bind "$DIR/group" /etc/group
    unset CONCUR_SOCKET XDG_RUNTIME_DIR
    eval "$1"' machine "$1"
}

@test "by hand, as the unit does it: members of the group ask, the log is appended to, a restart keeps sessions" {
  on_a_machine "
    as() { setpriv --reuid \"\$1\" --regid \"\$(id -g \"\$1\")\" --init-groups \"\${@:2}\"; }
    $(commands 1)
    as player concur --timeout 10s start --user abc --session xyz
    ! as nobody concur status 2>/dev/null
    : >/var/log/concurrencyd.log
    kill -KILL \$!
    wait \$! || true
    $(commands 1)
    as player concur --timeout 10s heartbeat --user abc --session xyz
    head -c 1 /var/log/concurrencyd.log | grep -q '[0-9]'"
  [ "$status" -eq 0 ] || fail_with "it fails"
  [ "$(grep -c '"concurrentSessions":1' <<<"$output")" -eq 2 ]
}

@test "in a container: any user id, a read-only root; another container asks; a restart keeps sessions" {
  on_a_machine "
    $(commands 2)
    export CONCUR_SOCKET=/srv/concur/run/concurrencyd.sock
    concur --timeout 10s start --user kept --session xyz
    $(commands 3)
    kill -KILL \$!
    wait \$! || true
    $(commands 2)
    concur --timeout 10s heartbeat --user kept --session xyz
    concur list --user abc"
  [ "$status" -eq 0 ] || fail_with "it fails"
  [ "$(grep -c '"concurrentSessions":1' <<<"$output")" -eq 2 ]
  [[ $output == *'"concurrentSessions":0'* ]]
}

@test "the page has these commands" {
  [ -n "$(commands 1)" ] && [ -n "$(commands 2)" ] && [ -n "$(commands 3)" ] && [ -z "$(commands 4)" ]
}
