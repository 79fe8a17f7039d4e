#!/bin/sh
# Stands for every program: makes the files that its options name. In them are the options that name no result, so that
# other settings make other content; what another job has made stays. `--written` names an input that no rule makes.
said=
for word; do
    case $word in *results/*) ;; *) said="$said $word" ;; esac
done
for word; do
    case $before-$word in --written-*) ;; *-results/*)
        [ -e "$word" ] || [ -e "${word%/*}/said" ] || case ${word##*/} in
            *.*) [ -d "${word%/*}" ] || mkdir -p "${word%/*}"; echo "$said" >"$word" ;;
            *) mkdir -p "$word"; echo "$said" >"$word/said" ;;
        esac ;;
    esac
    before=$word
done
