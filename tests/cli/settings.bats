#!/usr/bin/env bats
# concurrencyd's settings: where they come from, which goes first, and what is refused.

load helper

setup() {
  make_dir
  CONF=$DIR/concurrencyd.conf
  for name in $(compgen -v CONCURRENCYD_); do unset "$name"; done
  # What an ordinary user's session has.
  export XDG_RUNTIME_DIR=$DIR XDG_STATE_HOME=$DIR
}
teardown() { remove_dir; }

daemon_run() {
  run --separate-stderr concurrencyd "$@"
}

# The line of a setting in --check-config, as a pattern.
expect_setting() {
  [ "$status" -eq 0 ] || fail_with "exit status is not 0"
  [ -z "$stderr" ] || fail_with "standard error is not empty"
  grep -qxF -- "$1" <<<"$output" || fail_with "no such line: $1"
}

expect_usage_error() {
  [ "$status" -eq 2 ] || fail_with "exit status is not 2"
  [ -z "$output" ] || fail_with "standard output is not empty"
  [ "$(wc -l <<<"$stderr")" -eq 1 ] || fail_with "standard error is not one line"
  [[ $stderr == "concurrencyd: cannot "* ]] || fail_with "standard error has another form"
  for part in "$@"; do
    [[ $stderr == *"$part"* ]] || fail_with "standard error does not say: $part"
  done
}

@test "--version and --help exit 0" {
  daemon_run --version
  [ "$status" -eq 0 ] && [ "$output" = "concurrencyd 0.1.0" ] && [ -z "$stderr" ]
  daemon_run --help
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  for option in --socket --database --config --limit --lease --hold-off --start-rate --max-sessions --durability --socket-mode --socket-group --admin-group \
    --listen --api-key-file --fleet --fleet-name --fleet-user --fleet-password-file --fleet-ca-file --fleet-cert-file --fleet-key-file \
    --fleet-ack --fleet-unavailable --fleet-timeout --fleet-cache --box --log-level --log-format --check-config; do
    [[ $output == *"$option "* ]]
  done
}

@test "the defaults of a service" {
  [ "$(id -u)" -eq 0 ] || skip "needs root"
  [ ! -e /etc/concurrencyd ] || skip "a daemon is installed here"
  daemon_run --check-config
  expect_setting 'socket = /run/concurrencyd/concurrencyd.sock  # default'
  expect_setting 'database = /var/lib/concurrencyd/sessions.db  # default'
  expect_setting 'limit = 3  # default'
  expect_setting 'lease = 90s  # default'
  expect_setting 'on-limit = deny  # default'
  expect_setting 'hold-off = 3m  # default'
  expect_setting 'start-rate = 200  # default'
  expect_setting 'max-sessions = 10000000  # default'
  expect_setting 'durability = full  # default'
  expect_setting 'socket-mode = 0660  # default'
  expect_setting 'socket-group = concur  # default'
  expect_setting 'admin-group = concur-admin  # default'
  expect_setting 'listen =   # default'
  expect_setting 'api-key-file =   # default'
  expect_setting 'fleet =   # default'
  expect_setting 'log-level = info  # default'
  expect_setting 'log-format = text  # default'
}

@test "the defaults of an ordinary user" {
  run --separate-stderr as_nobody env XDG_RUNTIME_DIR=/run/user/7 XDG_STATE_HOME=/state concurrencyd --check-config
  expect_setting 'socket = /run/user/7/concurrencyd.sock  # default'
  expect_setting 'database = /state/concurrencyd/sessions.db  # default'
  expect_setting 'socket-mode = 0600  # default'
}

@test "--check-config prints one setting a line and opens nothing" {
  daemon_run --check-config --socket "$SOCKET" --database "$DATABASE"
  expect_setting "socket = $SOCKET  # flag"
  expect_setting "database = $DATABASE  # flag"
  run ! grep -vE '^[a-z-]+ = .*  # .+$' <<<"$output"
  [ -z "$(ls -A "$DIR")" ]
}

@test "a flag goes before the environment, that before the config file, that before the default" {
  printf '# what we allow\n\nlimit = 5\n  lease=2m\nlog-level = debug\n' >"$CONF"
  daemon_run --check-config --config "$CONF"
  expect_setting "limit = 5  # $CONF line 3"
  expect_setting "lease = 2m  # $CONF line 4"
  expect_setting 'durability = full  # default'
  export CONCURRENCYD_LIMIT=6 CONCURRENCYD_LOG_LEVEL=error
  daemon_run --check-config --config "$CONF"
  expect_setting 'limit = 6  # environment CONCURRENCYD_LIMIT'
  expect_setting 'log-level = error  # environment CONCURRENCYD_LOG_LEVEL'
  expect_setting "lease = 2m  # $CONF line 4"
  daemon_run --check-config --config "$CONF" --limit 7
  expect_setting 'limit = 7  # flag'
  expect_setting 'log-level = error  # environment CONCURRENCYD_LOG_LEVEL'
}

@test "a variable that is set and empty is as unset" {
  daemon_run --check-config
  defaults=$output
  for key in $(sed 's/ = .*//' <<<"$output") config; do
    run --separate-stderr env "CONCURRENCYD_$(tr 'a-z-' 'A-Z_' <<<"$key")=" concurrencyd --check-config
    [ "$status" -eq 0 ] && [ "$output" = "$defaults" ]
  done
  # So are those of the service manager.
  in_background env LISTEN_PID= LISTEN_FDS= LISTEN_FDNAMES= NOTIFY_SOCKET= WATCHDOG_USEC= WATCHDOG_PID= STATE_DIRECTORY= \
    JOURNAL_STREAM= concurrencyd --socket "$SOCKET" --database "$DATABASE"
  concur --socket "$SOCKET" --timeout 10s status >/dev/null
}

@test "the config file itself comes from a flag or the environment" {
  echo 'limit = 5' >"$CONF"
  export CONCURRENCYD_CONFIG=$CONF
  daemon_run --check-config
  expect_setting "limit = 5  # $CONF line 1"
  echo 'limit = 6' >"$DIR/other.conf"
  daemon_run --check-config --config "$DIR/other.conf"
  expect_setting "limit = 6  # $DIR/other.conf line 1"
}

@test "durations in each unit" {
  for pair in 90=90s 90s=90s 5m=5m 2h=2h 120s=2m; do
    daemon_run --check-config --lease "${pair%=*}"
    expect_setting "lease = ${pair#*=}  # flag"
  done
}

@test "a bad value exits 2 and names its source" {
  for pair in limit=many limit=-1 lease=soon lease=0 durability=perhaps socket-mode=9 \
    socket-mode=rw log-level=loud log-format=xml; do
    key=${pair%=*} value=${pair#*=}
    daemon_run --check-config "--$key" "$value"
    expect_usage_error "$key" "'$value'" flag
    variable=CONCURRENCYD_$(tr 'a-z-' 'A-Z_' <<<"$key")
    run --separate-stderr env "$variable=$value" concurrencyd --check-config
    expect_usage_error "$key" "'$value'" "$variable"
    printf '#\n%s = %s\n' "$key" "$value" >"$CONF"
    daemon_run --check-config --config "$CONF"
    expect_usage_error "$key" "'$value'" "$CONF line 2"
  done
}

@test "a bad value stops the start, too" {
  daemon_run --socket "$SOCKET" --database "$DATABASE" --limit many
  expect_usage_error limit "'many'"
  [ -z "$(ls -A "$DIR")" ]
}

@test "a config file with an unknown setting or another line, or that is not there, exits 2" {
  echo 'limits = 5' >"$CONF"
  daemon_run --check-config --config "$CONF"
  expect_usage_error "'limits'" "$CONF line 1"
  printf 'limit = 5\nlimit\n' >"$CONF"
  daemon_run --check-config --config "$CONF"
  expect_usage_error "$CONF line 2"
  daemon_run --check-config --config "$DIR/none.conf"
  expect_usage_error "$DIR/none.conf"
  daemon_run --check-config --config "$DIR"
  expect_usage_error "$DIR"
}

@test "an unknown flag, an argument and a flag without its value exit 2" {
  daemon_run --bogus
  expect_usage_error --bogus
  daemon_run extra
  expect_usage_error extra
  daemon_run --limit
  expect_usage_error --limit
}

@test "settings that could not be printed are no success" {
  run bash -c 'concurrencyd --check-config 2>&1 >/dev/full'
  [ "$status" -ne 0 ]
}

@test "an admin group that does not exist exits 2" {
  daemon_run --socket "$SOCKET" --database "$DATABASE" --admin-group no-such-group
  [ "$status" -eq 2 ]
  [[ $stderr == *no-such-group* ]]
}

@test "the limit and the lease in force are those that were set" {
  start_daemon --limit 1 --lease 30s
  concur_run --socket "$SOCKET" start --user abc --session s1
  expect_answer 0 '.limit == 1 and .heartbeatInterval == 10'
  concur_run --socket "$SOCKET" start --user abc --session s2
  expect_answer 1 '.limit == 1'
}

@test "the socket has the mode that was set, whatever the umask" {
  umask 0
  start_daemon
  [ "$(stat -c %a "$SOCKET")" = 660 ] || [ "$(id -u)" -ne 0 ]
  stop_daemon
  umask 0777
  start_daemon --socket-mode 0606
  [ "$(stat -c %a "$SOCKET")" = 606 ]
}

limit_is() { [ "$(concur --socket "$SOCKET" status | jq .limit)" = "$1" ]; }

@test "SIGHUP reloads the config file" {
  echo 'limit = 1' >"$CONF"
  start_daemon --config "$CONF"
  concur --socket "$SOCKET" start --user abc --session s1 >/dev/null
  printf 'limit = 2\nlease = 30s\n' >"$CONF"
  kill -HUP "$DAEMON"
  eventually limit_is 2
  concur_run --socket "$SOCKET" start --user abc --session s2
  expect_answer 0 '.limit == 2 and .heartbeatInterval == 10'
  stop_daemon
}

@test "SIGHUP: a setting that was empty, or is now, is logged as none" {
  echo 'denial-message = No' >"$CONF"
  start_daemon --config "$CONF"
  echo 'required-attributes = type' >"$CONF"
  kill -HUP "$DAEMON"
  eventually log_has reloaded
  log_has "required-attributes is type now ($CONF line 1), it was none$"
  log_has "denial-message is none now (default), it was No$"
}

@test "SIGHUP with a bad config file keeps the old values and says so" {
  echo 'limit = 2' >"$CONF"
  start_daemon --config "$CONF"
  printf 'lease = 30s\nlimit = many\n' >"$CONF"
  kill -HUP "$DAEMON"
  eventually log_has "error cannot reload: .*$CONF line 2"
  limit_is 2
  concur_run --socket "$SOCKET" start --user abc --session s1
  expect_answer 0 '.limit == 2 and .heartbeatInterval == 30'
  echo 'limit = 4' >"$CONF"
  kill -HUP "$DAEMON"
  eventually limit_is 4
}

@test "SIGHUP leaves what a flag set" {
  echo 'limit = 2' >"$CONF"
  start_daemon --config "$CONF" --limit 5
  printf 'limit = 9\nlease = 30s\n' >"$CONF"
  kill -HUP "$DAEMON"
  eventually log_has reloaded
  limit_is 5
}

@test "an empty value is one, and does not swallow the next flag" {
  daemon_run --database= --limit=1
  expect_usage_error "cannot set database to ''"
}
