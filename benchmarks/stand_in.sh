#!/bin/sh
# Stands for every program: makes the files that its options name, with nothing in them.
for word; do
    case $word in results/*)
        [ -e "$word" ] || case ${word##*/} in
            *.*) [ -d "${word%/*}" ] || mkdir -p "${word%/*}"; : >"$word" ;;
            *) mkdir -p "$word" ;;
        esac ;;
    esac
done
