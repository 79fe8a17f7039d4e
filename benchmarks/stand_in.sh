#!/bin/sh
# Stands for every program: makes the files that its options name, with nothing in them. `--written` names an input that
# no rule makes.
for word; do
    case $before-$word in --written-*) ;; *-results/*)
        [ -e "$word" ] || case ${word##*/} in
            *.*) [ -d "${word%/*}" ] || mkdir -p "${word%/*}"; : >"$word" ;;
            *) mkdir -p "$word" ;;
        esac ;;
    esac
    before=$word
done
