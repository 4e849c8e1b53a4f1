#!/bin/sh
# Makes a fresh clone ready for `npm start`, and with the argument `test` also for `npm test`.
# Assumes npm and any Node on PATH; node_modules may be missing. Says nothing when nothing is to be done,
# and never fails for want of a browser: the tests that need one are skipped.
set -eu
cd "$(dirname "$0")/../.."

say() { printf 'setup: %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

# The Node inside node_modules disappears while npm installs anew, so npm must not run on it.
without_modules() {
  printf '%s' "$PATH" | tr ':' '\n' | grep -v 'node_modules/\.bin$' | paste -s -d ':' -
}

dependencies_are_current() {
  [ -f node_modules/.package-lock.json ] && [ -x node_modules/.bin/node ] &&
    [ -z "$(find package-lock.json -newer node_modules/.package-lock.json)" ]
}

page_is_current() {
  [ -d web/dist/server ] && [ -z "$(find web package-lock.json \
    \( -path web/dist -o -path web/node_modules \) -prune -o \
    -type f -newer web/dist/server -print)" ]
}

# Runs a command in silence; shows what it said only if it failed.
quietly() {
  output=$("$@" 2>&1) || {
    status=$?
    printf '%s\n' "$output" >&2
    return "$status"
  }
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_works() {
  has apt-get && { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }
}

apt_lists_are_fresh=
install_package() {
  if [ -z "$apt_lists_are_fresh" ]; then
    quietly as_root timeout 300 apt-get update || return 1
    apt_lists_are_fresh=yes
  fi
  say "installing the system package $1 for the tests"
  quietly as_root env DEBIAN_FRONTEND=noninteractive \
    timeout 600 apt-get install -y --no-install-recommends "$1"
}

has_chromium() {
  if [ -n "${CHROMIUM:-}" ]; then
    has "$CHROMIUM"
    return
  fi
  has chromium || has chromium-browser || has google-chrome
}

# want WHAT CHECK PACKAGE CONSEQUENCE: one line, and no failure, where it cannot be had.
want() {
  if "$2"; then return; fi
  if [ "$2" = has_chromium ] && [ -n "${CHROMIUM:-}" ]; then
    say "CHROMIUM names no program ($CHROMIUM); $4"
  elif ! apt_works; then
    say "no $1 here, and no right to install it with apt-get; $4"
  elif ! install_package "$3" || ! "$2"; then
    say "no $1 here, and apt-get could not install it; $4"
  fi
}

has_curl() { has curl; }
has_firefox() { has firefox-esr || has "${FIREFOX:-firefox-esr}"; }
has_openssl() { has openssl; }

if ! dependencies_are_current; then
  say 'installing the dependencies (npm ci); this takes a minute'
  PATH=$(without_modules) npm ci --include=dev --no-audit --no-fund
fi

if ! page_is_current; then
  say 'building the page (npm run build --workspace web)'
  quietly npm run build --workspace web
fi

if [ "${1:-}" = test ]; then
  want curl has_curl curl 'tests with curl will be skipped'
  want openssl has_openssl openssl 'tests of TLS will be skipped'
  want Chromium has_chromium chromium 'browser tests will be skipped'
  want Firefox has_firefox firefox-esr 'the test in Firefox will be skipped'
fi
