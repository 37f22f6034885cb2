#!/bin/sh
# Instructions per call of one case of the message benchmark, by callgrind:
# two runs of different length, so that start-up cancels out.
set -eu
case_name=${1:?usage: instructions.sh CASE}
calls=2000
binary=$(cargo bench -q -p sipwright-sip --bench message --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*message-[^"]*\)".*/\1/p')

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" --once "$case_name" "$1" 2>&1 |
        sed -n 's/.*Collected : //p'
}

short=$(count $calls)
long=$(count $((2 * calls)))
echo "$case_name: $(((long - short) / calls)) instructions"
