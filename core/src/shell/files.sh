# What is done with one file. What goes wrong is said as the system says it, at the end of the last line.
#
# $1 what    stat, exists, list, read, write, dir, remove, rename, push, pull
# $2 path    as printf %b takes it: it begins with "/" or "./", so nothing can be taken for an option
# $3 ...     see below
LC_ALL=C
export LC_ALL
# Words of the bytes that $1 stands for, into pd_w. Newlines at the end are kept.
pd_bytes() { pd_w=$(command printf '%b.' "$1") && pd_w=${pd_w%.}; }
pd_fail() { command printf '%s: %s\n' "$pd_p" "$1" >&2; exit 1; }
# Fails as the system does if nothing is there.
pd_there() { [ -e "$pd_p" ] || stat -L "$pd_p" >/dev/null || exit; }
pd_enter() {
    pd_there
    [ -d "$pd_p" ] || pd_fail "Not a directory"
    cd -P "$pd_p" 2>/dev/null || pd_fail "Permission denied"
}
pd_above() {
    pd_d=${pd_p%/*}/
    [ ! -f "${pd_d%/}" ] || pd_fail "Not a directory"
    [ -d "$pd_d" ] || mkdir -p "$pd_d" || exit
}
# Does this, with its words in pd_w: what it says of what is beside the file, whose name is ours alone, is said of the file.
pd_beside() {
    pd_w=$("$@" 2>&1)
    pd_c=$?
    case $pd_w in *"$pd_t"*) pd_w=${pd_w%%"$pd_t"*}$pd_p${pd_w#*"$pd_t"} ;; esac
    return $pd_c
}
pd_spool() { cat >"$pd_t"; }
pd_fill() { cat "$pd_t" >"$pd_p"; }
# Fails as what was done last did, and nothing stays.
pd_undo() { rm -f "$pd_t"; command printf '%s\n' "$pd_w" >&2; exit $pd_c; }
pd_list() {
    stat -c "$pd_format %n/" "$@"
    # What was removed meanwhile is no failure.
    [ $? -lt 126 ] || exit 127
}
pd_format='%f %s %u %g %Y %y'
pd_bytes "$2"
pd_p=$pd_w
case $1 in
    # $3: -L to follow a link
    stat)
        if [ "$3" ]; then stat -L -c "$pd_format" "$pd_p"; else stat -c "$pd_format" "$pd_p"; fi || exit
        if [ -z "$3" ] && [ -L "$pd_p" ]; then readlink "$pd_p"; fi ;;
    # $3: -L for what a link leads to
    exists)
        pd_w=$(stat $3 "$pd_p" 2>&1 >/dev/null) && echo yes && exit 0
        [ $? -lt 126 ] || exit 127
        case ${pd_w##*: } in
            "No such file or directory" | "Not a directory") echo no ;;
            *) command printf '%s\n' "$pd_w" >&2; exit 1 ;;
        esac ;;
    list)
        pd_enter
        [ -r . ] || pd_fail "Permission denied"
        set --
        for pd_f in * .*; do
            case $pd_f in . | ..) continue ;; esac
            [ -e "$pd_f" ] || [ -L "$pd_f" ] || continue
            set -- "$@" "./$pd_f"
            [ $# -lt 200 ] || { pd_list "$@"; set --; }
        done
        [ $# -eq 0 ] || pd_list "$@" ;;
    read)
        [ ! -d "$pd_p" ] || pd_fail "Is a directory"
        # To open one could take for ever.
        [ ! -p "$pd_p" ] || pd_fail "Not a regular file"
        exec cat "$pd_p" ;;
    # $3: its mode, or nothing; $4: its size; $5: what no other name ends with; $6: spool to write beside it only, commit
    # to put what was written beside it into its place, or nothing to do both
    write)
        case $pd_p in */) pd_fail "Is a directory" ;; esac
        [ ! -d "$pd_p" ] || pd_fail "Is a directory"
        pd_t=${pd_p%/*}/.pocket-dock-$5
        if [ "$6" != commit ]; then
            pd_above
            if [ -e "$pd_p" ] && [ ! -f "$pd_p" ]; then
                # A device takes it as it comes.
                [ "$6" ] || [ -p "$pd_p" ] || exec cat >"$pd_p"
                pd_fail "Not a regular file"
            fi
            if [ -e "$pd_p" ] && [ ! -w "$pd_p" ]; then cat /dev/null >>"$pd_p" || exit 1; pd_fail "Permission denied"; fi
            if [ -e "$pd_p" ] && [ ! -w "${pd_p%/*}/" ] && [ -z "$6" ]; then
                # The user may write to the file, and not beside it.
                exec cat >"$pd_p"
            fi
            # Nobody else has made it, and nobody gets it by a link.
            set -C
            pd_beside pd_spool || pd_undo
            set +C
            [ -z "$6" ] || exit 0
        fi
        pd_s=$(wc -c <"$pd_t") || { pd_c=$?; rm -f "$pd_t"; exit $pd_c; }
        if [ "$((pd_s))" != "$4" ]; then
            rm -f "$pd_t"
            pd_fail "not all of it came"
        fi
        pd_m=$3
        if [ -e "$pd_p" ]; then
            # Where links lead; what is there keeps its owner, its mode and its other names.
            if [ -L "$pd_p" ]; then
                pd_w=$(readlink -f "$pd_p" && echo .) || { rm -f "$pd_t"; exit 1; }
                pd_p=${pd_w%??}
            fi
            pd_w=$(stat -c '%h %u:%g %a' "$pd_p") || { pd_c=$?; rm -f "$pd_t"; exit $pd_c; }
            pd_o=${pd_w#* }
            : "${pd_m:=${pd_o#* }}"
            if [ "${pd_w%% *}" != 1 ] || ! chown "${pd_o% *}" "$pd_t" 2>/dev/null; then
                # What cannot be opened is as it was. What is cut may be whole beside its place only, and is left there.
                true >>"$pd_p" || { rm -f "$pd_t"; exit 1; }
                pd_beside pd_fill || {
                    command printf '%s has all that was to be written\n%s\n' "$pd_t" "$pd_w" >&2
                    exit 1
                }
                rm -f "$pd_t"
                [ -z "$3" ] || chmod "$3" "$pd_p" || exit
                exit 0
            fi
        elif [ -L "$pd_p" ]; then
            cat "$pd_t" >"$pd_p" && { [ -z "$3" ] || chmod "$3" "$pd_p"; }
            pd_c=$?
            rm -f "$pd_t"
            exit $pd_c
        fi
        [ -z "$pd_m" ] || pd_beside chmod "$pd_m" "$pd_t" || pd_undo
        pd_beside mv -f "$pd_t" "$pd_p" || pd_undo ;;
    # $3: its mode, or nothing
    dir)
        [ -d "$pd_p" ] || mkdir -p "$pd_p" || exit
        [ -z "$3" ] || chmod "$3" "$pd_p" ;;
    # $3: -r with everything in it; -f if it is there at all
    remove)
        if [ "$3" = -f ]; then
            rm -f "$pd_p"
        elif [ -d "$pd_p" ] && [ ! -L "${pd_p%/}" ]; then
            if [ "$3" ]; then rm -rf "$pd_p"; else rmdir "$pd_p"; fi
        else
            [ -e "$pd_p" ] || [ -L "$pd_p" ] || stat "$pd_p" >/dev/null || exit
            rm -f "$pd_p"
        fi ;;
    # $3: the new path
    rename)
        pd_bytes "$3"
        [ -e "$pd_p" ] || [ -L "$pd_p" ] || stat "$pd_p" >/dev/null || exit
        pd_o=$pd_p
        pd_p=$pd_w
        # Into a directory, also one that a link leads to, it would be moved.
        [ ! -d "$pd_p" ] || pd_fail "File exists"
        mv -f "$pd_o" "$pd_p" ;;
    # $3: tree or file. Says as whom, into which directory and under which name, whether it may, and what is mounted.
    push)
        pd_n=
        case $3$pd_p in
            file*/ | tree*) ;;
            *) [ -d "$pd_p" ] || { pd_n=${pd_p##*/} pd_p=${pd_p%/*}/; } ;;
        esac
        [ -d "$pd_p" ] || mkdir -p "$pd_p" || exit
        pd_enter
        pd_k=into ;;
    # Says the same of what is to be read.
    pull)
        pd_there
        pd_n=
        if [ -d "$pd_p" ]; then
            pd_k=directory
        else
            case $pd_p in */) pd_fail "Not a directory" ;; esac
            pd_k=file
            [ -f "$pd_p" ] || pd_fail "Not a regular file"
            [ -r "$pd_p" ] || pd_fail "Permission denied"
            if [ -L "$pd_p" ]; then
                pd_w=$(readlink -f "$pd_p" && echo .) || exit
                pd_p=${pd_w%??}
            fi
            pd_n=${pd_p##*/} pd_p=${pd_p%/*}/
        fi
        pd_enter
        [ $pd_k = file ] || [ -r . ] || pd_fail "Permission denied" ;;
    # $3: the name of a file in it, or nothing
    tar)
        cd -P "$pd_p" || exit 1
        pd_bytes "$3"
        set --
        case $(tar --version 2>/dev/null) in *GNU*) set -- --format=posix --sparse --no-unquote ;; esac
        exec tar "$@" -cf - "./$pd_w" ;;
    untar)
        cd -P "$pd_p" || exit 1
        exec tar -xpf - ;;
esac
pd_c=$?
[ $pd_c = 0 ] || exit $pd_c
case $1 in
    push | pull)
        while read -r pd_a pd_b pd_c pd_rest; do
            case $pd_a in
                Uid:) pd_u=$pd_c ;;
                Gid:) pd_g=$pd_c ;;
            esac
        done </proc/self/status
        pd_a=
        [ ! -w . ] || pd_a=w
        pd_d=$(pwd -P && echo .)
        command printf '%s\0%s\0%s\0%s\0%s\0%s\0' "$pd_u" "$pd_g" "$pd_k" "$pd_a" "${pd_d%??}" "$pd_n"
        cat /proc/self/mountinfo ;;
esac
