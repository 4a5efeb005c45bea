#!/bin/sh
# The 32-bit wsock32.dll under a 32-bit Wine: small programs with it beside both ends and without, whose outputs must be the same.
#
#   cargo xtask windows --i686 && tests/windows/i686.sh [DIRECTORY]
#
# Debian's 32-bit Wine cannot be installed beside the 64-bit one without changing the machine's other packages, so it gets a
# Debian of its own in DIRECTORY (700 MB, made at the first run by debootstrap). For root; nothing else is changed.
set -eu
cd "$(dirname "$0")/../.."
room=$(mkdir -p "${1:-target/wine/i386}" && cd "${1:-target/wine/i386}" && pwd)
built=${VMMC_WINDOWS_BIN:-target/windows/i686-win7-windows-gnu/release}

[ -x "$room/usr/lib/wine/wine" ] || debootstrap --variant=minbase --arch=i386 --include=wine32 bookworm "$room"
rm -rf "$room/stage"
mkdir -p "$room/stage/with" "$room/stage/without"
for app in echo names nonblocking select_mixed both_dlls events endings; do
    i686-w64-mingw32-gcc -O1 -w -static -o "$room/stage/with/$app.exe" "tests/windows/apps/$app.c" \
        -luser32 -ladvapi32 -lwsock32 -lws2_32
    cp "$room/stage/with/$app.exe" "$room/stage/without"
done
cp "$built/wsock32.dll" "$built/vmmc.exe" "$room/stage/with"

cat > "$room/stage/play" <<'PLAY'
set -eu
export WINEPREFIX=/stage/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=;wsock32=n,b' HOME=/root
wine=/usr/lib/wine/wine
$wine wineboot --init
$wine reg add 'HKCU\Software\Wine\Drivers' /v Graphics /d null /f > /dev/null
export WINEDEBUG=-all,+loaddll

# play FOLDER "SERVER'S WORDS" PROGRAM WORDS…: what both ends said
play() {
    cd "/stage/$1"
    server=$2 program=$3
    shift 3
    timeout 120 $wine "$program.exe" server 9100 $server > ../server.out 2> ../server.err &
    until grep -q ':238C 00000000:0000 0A' /proc/net/tcp; do kill -0 $!; sleep 0.1; done
    timeout 120 $wine "$program.exe" client 9100 "$@" 2> ../client.err || [ $? -eq 137 ]
    wait $! || [ $? -eq 137 ]
    cat ../server.out
}

# same "SERVER'S WORDS" PROGRAM WORDS…: with the DLL as without
same() {
    play without "$@" > /stage/plain.out
    play with "$@" > /stage/with.out
    for end in server client; do
        grep -qi 'with..wsock32.dll.*: native' /stage/$end.err || { echo "$2: the $end has not loaded the DLL"; exit 1; }
    done
    diff /stage/plain.out /stage/with.out || { echo "$2 differs"; exit 1; }
    echo "$*: the same"
}

same 1 echo 2000 8
same 1 echo 20 300000
same '' names 200
same '' nonblocking 500
same '' select_mixed 200
same '' both_dlls 500
same '' events 500
for how in return exit process cleanup handle linger; do same '' endings 50 $how; done

# The data moves over VMMC: looked at while a client talks.
cd /stage/with
timeout 120 $wine echo.exe server 9100 1 > /dev/null 2>&1 &
until grep -q ':238C 00000000:0000 0A' /proc/net/tcp; do kill -0 $!; sleep 0.1; done
timeout 120 $wine echo.exe client 9100 10000000 8 > /dev/null 2>&1 &
for look in $(seq 60); do
    WINEDEBUG=-all $wine vmmc.exe status --json > ../status 2> /dev/null || true
    if grep -q '"vmmc_bytes": [1-9]' ../status; then moved=yes; break; fi
    sleep 0.5
done
[ "${moved:-no}" = yes ] || { echo 'nothing moved over VMMC'; exit 1; }
echo 'the data moves over VMMC'
PLAY

status=0
unshare --net --mount sh -c "ip link set lo up && mount -t proc proc '$room/proc' && exec chroot '$room' sh /stage/play" || status=$?
chroot "$room" env WINEPREFIX=/stage/prefix /usr/lib/wine/wineserver --kill || true
[ $status -eq 0 ] && echo 'all the same'
exit $status
