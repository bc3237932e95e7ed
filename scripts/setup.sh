#!/bin/sh
# Installs what is missing, with apt-get, as root or through sudo. usage: setup.sh build|test|sanitize...
set -eu

wanted=
for what in "$@"; do
    case $what in
    build) wanted="$wanted gcc libc6-dev binutils meson ninja-build pkg-config python3
                   libyaml-dev libpcre2-dev libsqlite3-dev libssl-dev libuv1-dev" ;;
    test) wanted="$wanted libcmocka-dev g++ clang git procps tzdata valgrind" ;;
    sanitize) wanted="$wanted clang llvm libclang-rt-dev" ;;
    *) echo "usage: setup.sh build|test|sanitize..." >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    for tool in meson ninja pkg-config python3 cc; do
        command -v "$tool" >/dev/null || { echo "setup: this is no Debian, and $tool is missing; on Debian this would install:" $wanted >&2; exit 1; }
    done
    exit 0
fi

missing=
for package in $wanted; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null; then
    as_root=sudo
    [ -t 0 ] || as_root="sudo -n" # nobody there to type a password
else
    echo "setup: missing:$missing" >&2
    echo "setup: install them as root: apt-get install$missing" >&2
    exit 1
fi

echo "setup: installing with apt-get:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install()
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
# Lists may be old or not there at all.
if ! install >"$log" 2>&1 && ! { $as_root apt-get update -qq && install; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    echo "setup: apt-get failed" >&2
    exit 1
fi
