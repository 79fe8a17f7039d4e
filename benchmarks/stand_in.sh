#!/bin/sh
# Stands for every program: makes what it is told to write, with nothing in it.
for word; do
    case $word in results/*)
        [ -e "$word" ] || case ${word##*/} in
            *.*) [ -d "${word%/*}" ] || mkdir -p "${word%/*}"; : >"$word" ;;
            *) mkdir -p "$word" ;;
        esac ;;
    esac
done
